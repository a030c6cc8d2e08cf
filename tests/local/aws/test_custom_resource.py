"""Custom resources whose function runs while the stack is being made: here, what finds an organization by its alias."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.aws.conftest import ROLE, LocalAws, function
from workmail_constructs.assets import source_of

pytestmark = pytest.mark.xdist_group("aws")

HANDLER = source_of("workmail_custom_resources.organization_lookup")

# A function that answers with what `answer(event)` returns.
ANSWERING = """
    import json, urllib.request

    def put(url, body):
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": ""}, method="PUT")
        try:
            return urllib.request.urlopen(request).status
        except urllib.error.HTTPError as error:
            return error.code

    def handler(event, context):
        shown = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
        put(event["ResponseURL"], {"PhysicalResourceId": "made", "Status": "SUCCESS", **shown, **answer(event)})
"""


def answering(answer: str) -> str:
    return textwrap.dedent(ANSWERING) + textwrap.dedent(answer)


def lookup(code: str, *, alias: str = "acme", rights: tuple[str, ...] = ("*",), **more: Any) -> dict[str, Any]:
    """The resources of a stack that looks an organization up with this code."""
    statement = {"Effect": "Allow", "Action": list(rights), "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    role = {**ROLE["Properties"], "Policies": [{"PolicyName": "Own", "PolicyDocument": document}]}  # type: ignore[dict-item]
    token = {"Fn::GetAtt": ["Function", "Arn"]}
    return {
        "Role": {"Type": "AWS::IAM::Role", "Properties": role},
        "Function": function(Code={"ZipFile": code}, Timeout=60, **more),
        "Lookup": {
            "Type": "Custom::WorkMailOrganization",
            "Properties": {"ServiceToken": token, "Alias": alias, "Flag": True, "Number": 5, "List": [1]},
        },
    }


def output(aws: LocalAws, name: str) -> str:
    return str({each["OutputKey"]: each["OutputValue"] for each in aws.stack(name)["Outputs"]}["Value"])


def failure(aws: LocalAws, name: str, resources: dict[str, Any]) -> str:
    """Why the stack was not made."""
    stack = aws.create(name, resources)
    aws.delete(name)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    return str(stack["StackStatusReason"])


@pytest.mark.fact("L3", "L8")
def test_the_deployed_handler_finds_an_organization_and_another_alias_another_one(aws: LocalAws) -> None:
    outputs = {"Value": {"Value": {"Ref": "Lookup"}}}
    aws.create("Lookup", lookup(HANDLER, rights=("workmail:ListOrganizations",)), Outputs=outputs)
    first = output(aws, "Lookup")
    aws.update("Lookup", lookup(HANDLER, rights=("workmail:ListOrganizations",), alias="other"), Outputs=outputs)
    second = output(aws, "Lookup")

    listed = aws.client("workmail").list_organizations()["OrganizationSummaries"]
    by_alias = {each["Alias"]: (each["OrganizationId"], each["State"]) for each in listed}
    assert (by_alias["acme"], by_alias["other"]) == ((first, "Active"), (second, "Active"))
    assert aws.client("workmail", region="eu-west-1").list_organizations()["OrganizationSummaries"] == []
    assert aws.resources("Lookup")["Lookup"] == second
    assert "Custom::WorkMailOrganization" not in str(aws.deployment("Lookup").data_only)
    aws.delete("Lookup")
    with pytest.raises(ClientError, match="does not exist"):
        aws.stack("Lookup")


def test_the_function_gets_what_cloudformation_sends(aws: LocalAws) -> None:
    code = answering("""
        def answer(event):
            return {"Data": {"Event": json.dumps(event)}}
    """)
    outputs = {"Value": {"Value": {"Fn::GetAtt": ["Lookup", "Event"]}}}
    aws.create("Events", lookup(code), Outputs=outputs)
    created = json.loads(output(aws, "Events"))
    aws.update("Events", lookup(code, alias="other"), Outputs=outputs)
    updated = json.loads(output(aws, "Events"))
    aws.delete("Events")

    assert (created["RequestType"], created["ResourceType"], created["LogicalResourceId"]) == (
        "Create",
        "Custom::WorkMailOrganization",
        "Lookup",
    )
    properties = created["ResourceProperties"]
    assert properties["ServiceToken"] == created["ServiceToken"]
    assert (properties["Alias"], properties["Flag"], properties["Number"], properties["List"]) == (
        "acme",
        "true",
        "5",
        ["1"],
    )
    assert "PhysicalResourceId" not in created
    assert (updated["RequestType"], updated["PhysicalResourceId"]) == ("Update", "made")
    assert (updated["OldResourceProperties"], updated["ResourceProperties"]["Alias"]) == (properties, "other")


def test_an_answer_is_taken_at_its_address_only_and_up_to_its_limit(aws: LocalAws) -> None:
    code = answering("""
        def answer(event):
            url = event["ResponseURL"]
            statuses = [put(url + "x", {}), put(url.partition("?")[0], {}), put(url, "x" * 4095)]
            return {"Data": {"Statuses": str(statuses)}}
    """)
    aws.create("Address", lookup(code), Outputs={"Value": {"Value": {"Fn::GetAtt": ["Lookup", "Statuses"]}}})

    assert output(aws, "Address") == "[403, 403, 400]"
    aws.delete("Address")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            "def answer(event): return {'Status': 'FAILED', 'Reason': 'no such organization'}",
            "response status [FAILED] from custom resource. Message returned: no such organization (RequestId: ",
        ),
        ("def answer(event): return {'Status': 'FAILED'}", "Invalid response from the function"),
        ("def answer(event): return {'Data': 'text'}", "Invalid response from the function"),
        ("def answer(event): raise KeyError('lost')", "did not answer: FUNCTION_ERROR 'lost'"),
    ],
)
def test_a_resource_that_is_not_made_rolls_the_stack_back_with_the_reason(
    aws: LocalAws, answer: str, reason: str
) -> None:
    assert reason in failure(aws, "Refused", lookup(answering(answer)))


def test_an_attribute_that_was_not_returned_rolls_the_stack_back(aws: LocalAws) -> None:
    resources = lookup(answering("def answer(event): return {'Data': {'Id': 'x'}}"))
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::GetAtt": ["Lookup", "Other"]}}}

    assert "Vendor response doesn't contain Other attribute" in failure(aws, "Lacks", {**resources, "Queue": queue})


@pytest.mark.fact("L8")
def test_the_function_has_the_rights_of_its_role_while_the_stack_is_being_made(aws: LocalAws) -> None:
    code = answering("""
        def answer(event):
            import boto3
            try:
                boto3.client("workmail").list_organizations()
            except Exception as error:
                return {"Status": "FAILED", "Reason": str(error)}
            return {}
    """)
    said = "is not authorized to perform: workmail:ListOrganizations"

    assert said in failure(aws, "Unable", lookup(code, rights=("workmail:DescribeOrganization",)))
    assert aws.create("Able", lookup(code, rights=("workmail:List*",)))["StackStatus"] == "CREATE_COMPLETE"
    aws.delete("Able")


def test_a_function_of_another_stack_or_another_runtime_is_refused(aws: LocalAws) -> None:
    resources = lookup(HANDLER)
    resources["Lookup"]["Properties"]["ServiceToken"] = "arn:aws:lambda:us-east-1:123456789012:function:elsewhere"

    assert "ServiceToken: found arn:aws:lambda:us-east-1:123456789012:function:elsewhere; allowed here is" in failure(
        aws, "Elsewhere2", resources
    )
    assert "only Python functions" in failure(aws, "Node", lookup("x", Runtime="nodejs22.x"))
