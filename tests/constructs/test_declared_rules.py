"""Declared rules read back from a deployed stack, and what is refused as a cloud assembly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from tests.constructs.stacks import ORGANIZATION_ID
from workmail_constructs.declared_rules import from_cloud_assembly, from_deployed_stack
from workmail_flow.template import METADATA_KEY, TemplateError

if TYPE_CHECKING:
    from pathlib import Path


def entry(name: str, function: object) -> dict[str, object]:
    return {
        "name": name,
        "direction": "inbound",
        "action": "RUN_LAMBDA",
        "senders": ["*"],
        "destinations": ["*"],
        "function": function,
        "synchronous": False,
    }


def template(*rules: dict[str, object], **sections: Any) -> str:
    arn = ["arn:aws:workmail:", {"Ref": "AWS::Region"}, ":123456789012:organization/", {"Ref": "Organization"}]
    declared = {
        "organizationId": {"Ref": "Organization"},
        "organizationArn": {"Fn::Join": ["", arn]},
        "domains": [],
        "rules": list(rules),
    }
    return json.dumps(
        {
            "Parameters": {"Organization": {"Type": "String", "Default": ORGANIZATION_ID}},
            "Metadata": {METADATA_KEY: {"version": 1, "organizations": [declared]}},
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            **sections,
        }
    )


@mock_aws
def test_a_deployed_stack_gives_its_rules_with_the_values_of_the_deployment() -> None:
    cloudformation = boto3.client("cloudformation", region_name="eu-west-1")
    body = template(
        entry("Shown", {"Fn::GetAtt": ["Topic", "TopicName"]}),
        entry("Known", {"Ref": "Topic"}),
        entry("Elsewhere", {"Fn::ImportValue": "Other:Arn"}),
        Outputs={"FunctionArn": {"Value": {"Fn::GetAtt": ["Topic", "TopicName"]}}},
    )
    cloudformation.create_stack(StackName="Mail", TemplateBody=body)

    (declared,) = from_deployed_stack("Mail", region="eu-west-1")

    assert declared.organization_id == ORGANIZATION_ID
    assert declared.organization_arn == f"arn:aws:workmail:eu-west-1:123456789012:organization/{ORGANIZATION_ID}"
    shown, known, elsewhere = (rule.function or "" for rule in declared.rules)
    assert shown.startswith("Mail-Topic-")
    assert known.startswith("arn:aws:sns:eu-west-1:123456789012:Mail-Topic-")
    assert elsewhere == '{"Fn::ImportValue":"Other:Arn"}'


@mock_aws
def test_a_function_of_a_nested_stack_is_read_with_its_arn() -> None:
    role = boto3.client("iam").create_role(RoleName="Rule", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = {"Runtime": "python3.13", "Handler": "app.handler", "Code": {"ZipFile": "pass"}, "Role": role}
    inner = template(
        entry("Inner", {"Fn::GetAtt": ["Function", "Arn"]}),
        Resources={"Function": {"Type": "AWS::Lambda::Function", "Properties": code}},
    )
    storage = boto3.client("s3", region_name="us-east-1")
    storage.create_bucket(Bucket="templates")
    storage.put_object(Bucket="templates", Key="inner.json", Body=inner)
    url = "https://templates.s3.amazonaws.com/inner.json"
    outer = {"Resources": {"Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}}}
    boto3.client("cloudformation", "us-east-1").create_stack(StackName="Mail", TemplateBody=json.dumps(outer))

    (declared,) = from_deployed_stack("Mail", region="us-east-1")

    (rule,) = declared.rules
    assert rule.function
    assert rule.function.startswith("arn:aws:lambda:us-east-1:123456789012:function:Mail-Nested-")
    assert declared.functions == {rule.function: "function Nested/Function of stack Mail"}


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({}, "manifest.json: not found; give a folder that `cdk synth` wrote"),
        ({"manifest.json": "{"}, "manifest.json: not JSON"),
        ({"manifest.json": "[]"}, "manifest.json: found list, allowed is a JSON object"),
    ],
)
def test_a_folder_that_is_not_a_cloud_assembly_is_refused(
    tmp_path: Path, files: dict[str, str], complaint: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    with pytest.raises(TemplateError) as refused:
        from_cloud_assembly(tmp_path)
    assert complaint in str(refused.value)
