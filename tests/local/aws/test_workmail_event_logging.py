"""WorkMail's operations on an organization's email event logging (W2), through boto3."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.local.aws.conftest import ROLE, LocalAws, function
from workmail_local.aws.server import AwsEndpoint
from workmail_local.email_monitoring import EmailMonitoring, MonitoringConfiguration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("aws")

ORGANIZATION = "m-0123456789abcdef0123456789abcdef"
ACCOUNT = "123456789012"
TRUST = {"Effect": "Allow", "Principal": {"Service": "events.workmail.amazonaws.com"}, "Action": "sts:AssumeRole"}


def group_arn(name: str = "events", region: str = "us-east-1", account: str = ACCOUNT) -> str:
    return f"arn:aws:logs:{region}:{account}:log-group:{name}:*"


def role_of(*statements: dict[str, Any]) -> dict[str, Any]:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document}}


@pytest.fixture
def roles(aws: LocalAws) -> Iterator[dict[str, str]]:
    """A log group `events` in us-east-1, and ARNs of roles by what they trust."""
    resources = {
        "Group": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "events"}},
        "Writer": role_of(TRUST),
        "Lambda": role_of({**TRUST, "Principal": {"Service": "lambda.amazonaws.com"}}),
        "Denied": role_of(TRUST, {**TRUST, "Effect": "Deny"}),
    }
    aws.create("EventLog", resources)
    names = aws.resources("EventLog")
    yield {name: f"arn:aws:iam::{ACCOUNT}:role/{names[name]}" for name in resources if name != "Group"}
    aws.client("workmail").delete_email_monitoring_configuration(OrganizationId=ORGANIZATION)
    aws.delete("EventLog")


def put(workmail: Any, **changed: str) -> None:
    workmail.put_email_monitoring_configuration(
        **{"OrganizationId": ORGANIZATION, "LogGroupArn": group_arn(), **changed}
    )


def described(workmail: Any) -> dict[str, str]:
    found = workmail.describe_email_monitoring_configuration(OrganizationId=ORGANIZATION)
    return {name: value for name, value in found.items() if name != "ResponseMetadata"}


@pytest.mark.fact("W2")
def test_it_is_put_described_replaced_and_deleted(aws: LocalAws, roles: dict[str, str]) -> None:
    workmail = aws.client("workmail")
    put(workmail, RoleArn=roles["Writer"])
    assert described(workmail) == {"LogGroupArn": group_arn(), "RoleArn": roles["Writer"]}
    saved = EmailMonitoring(aws.state).find(ORGANIZATION, account=ACCOUNT, region="us-east-1")
    assert saved == MonitoringConfiguration(group_arn(), roles["Writer"])

    put(workmail)  # with the service-linked role
    assert described(workmail) == {"LogGroupArn": group_arn()}

    for _ in range(2):  # it may be off already
        workmail.delete_email_monitoring_configuration(OrganizationId=ORGANIZATION)
    with pytest.raises(workmail.exceptions.ResourceNotFoundException):
        described(workmail)


@pytest.mark.fact("W2")
def test_each_region_and_account_has_its_own(aws: LocalAws, roles: dict[str, str]) -> None:
    elsewhere = aws.client("workmail", region="eu-west-1")
    put(aws.client("workmail"))

    with pytest.raises(elsewhere.exceptions.ResourceNotFoundException):
        described(elsewhere)
    elsewhere.delete_email_monitoring_configuration(OrganizationId=ORGANIZATION)
    assert described(aws.client("workmail")) == {"LogGroupArn": group_arn()}
    assert EmailMonitoring(aws.state).find(ORGANIZATION, account="111122223333", region="us-east-1") is None


@pytest.mark.fact("L3", "W2")
@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"OrganizationId": "m-0123456789ABCDEF0123456789abcdef"}, "InvalidParameter", "OrganizationId: found 'm-0123"),
        ({"LogGroupArn": group_arn().removesuffix(":*")}, "InvalidParameter", "LogGroupArn: found 'arn:aws:logs"),
        ({"LogGroupArn": group_arn("with space")}, "InvalidParameter", "LogGroupArn: found"),
        ({"LogGroupArn": group_arn(region="eu-west-1")}, "InvalidParameter", "allowed is a log group in us-east-1"),
        ({"LogGroupArn": group_arn(account="111122223333")}, "InvalidParameter", f"of account {ACCOUNT}"),
        ({"LogGroupArn": group_arn("unknown")}, "ResourceNotFound", "The log group unknown does not exist"),
        ({"RoleArn": "arn:aws:iam::123456789012:"}, "InvalidParameter", "RoleArn: found"),
        ({"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/unknown"}, "InvalidParameter", "role/unknown, which does not exist"),
        ({"RoleArn": "Lambda"}, "InvalidParameter", "which events.workmail.amazonaws.com cannot assume"),
        ({"RoleArn": "Denied"}, "InvalidParameter", "explicitly denied"),
    ],
)
def test_what_workmail_does_not_take_changes_nothing(
    aws: LocalAws, roles: dict[str, str], changed: dict[str, str], code: str, said: str
) -> None:
    workmail = aws.client("workmail")
    with pytest.raises(ClientError) as refused:
        put(workmail, **{name: roles.get(value, value) for name, value in changed.items()})
    assert refused.value.response["Error"]["Code"] == f"{code}Exception"
    assert said in str(refused.value)
    with pytest.raises(workmail.exceptions.ResourceNotFoundException):
        described(workmail)


def test_a_damaged_file_is_an_error_that_names_it(aws: LocalAws, roles: dict[str, str]) -> None:
    file = aws.state / "email-monitoring.json"
    file.write_text("{")
    try:
        with pytest.raises(ClientError, match=r"email-monitoring\.json: found text that is not JSON"):
            described(aws.client("workmail"))
    finally:
        file.unlink()


def test_puts_at_the_same_time_are_all_kept(aws: LocalAws, roles: dict[str, str]) -> None:
    workmail = aws.client("workmail")
    organizations = [f"m-{index:032x}" for index in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: put(workmail, OrganizationId=each), organizations))

    for each in organizations:
        found = workmail.describe_email_monitoring_configuration(OrganizationId=each)
        assert found["LogGroupArn"] == group_arn()
        workmail.delete_email_monitoring_configuration(OrganizationId=each)


@pytest.mark.fact("W2")
def test_it_outlives_a_restart_and_without_a_state_folder_it_is_kept_until_the_end(tmp_path: Path) -> None:
    for state in (tmp_path, None):
        endpoint = AwsEndpoint.start(state, region="us-east-1")
        aws = LocalAws(endpoint, tmp_path)
        aws.client("logs").create_log_group(logGroupName="events")
        put(aws.client("workmail"))
        assert described(aws.client("workmail")) == {"LogGroupArn": group_arn()}
        endpoint.stop()
        endpoint = AwsEndpoint.start(state, region="us-east-1")
        workmail = LocalAws(endpoint, tmp_path).client("workmail")
        if state is None:
            with pytest.raises(workmail.exceptions.ResourceNotFoundException):
                described(workmail)
        else:
            assert described(workmail) == {"LogGroupArn": group_arn()}
        endpoint.stop()


ASKING = """
import boto3, json, urllib.request
def handler(event, context):
    asked = event["ResourceProperties"]
    if event["RequestType"] != "Delete":
        try:
            boto3.client("workmail").put_email_monitoring_configuration(
                **{name: asked[name] for name in ("OrganizationId", "LogGroupArn", "RoleArn")}
            )
            answer = {"Status": "SUCCESS"}
        except Exception as error:
            answer = {"Status": "FAILED", "Reason": str(error)}
    else:
        answer = {"Status": "SUCCESS"}
    answer |= {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    body = json.dumps({**answer, "PhysicalResourceId": "made"}).encode()
    request = urllib.request.Request(event["ResponseURL"], body, {"Content-Type": ""}, method="PUT")
    urllib.request.urlopen(request)
"""
PASSED_TO = {"StringEquals": {"iam:PassedToService": "events.workmail.amazonaws.com"}}


@pytest.mark.fact("W2")
@pytest.mark.parametrize(
    ("pass_role", "denied"),
    [
        ({"Resource": "Writer", "Condition": PASSED_TO}, None),
        (None, "iam:PassRole"),
        ({"Resource": "Lambda"}, "iam:PassRole"),
        (
            {"Resource": "Writer", "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}},
            "iam:PassRole",
        ),
    ],
)
def test_a_function_may_only_pass_a_role_that_its_own_role_lets_it(
    aws: LocalAws, roles: dict[str, str], pass_role: dict[str, Any] | None, denied: str | None
) -> None:
    statements = [{"Effect": "Allow", "Action": "workmail:Put*", "Resource": "*"}]
    if pass_role is not None:
        named = {**pass_role, "Resource": roles[pass_role["Resource"]]}
        statements.append({"Effect": "Allow", "Action": "iam:PassRole", **named})
    document = {"Version": "2012-10-17", "Statement": statements}
    own = {**ROLE["Properties"], "Policies": [{"PolicyName": "Own", "PolicyDocument": document}]}  # type: ignore[dict-item]
    stack = aws.create(
        "Passes",
        {
            "Role": {"Type": "AWS::IAM::Role", "Properties": own},
            "Function": function(Code={"ZipFile": ASKING}, Timeout=60),
            "Logging": {
                "Type": "Custom::WorkMailEmailEventLogging",
                "Properties": {
                    "ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]},
                    "OrganizationId": ORGANIZATION,
                    "LogGroupArn": group_arn(),
                    "RoleArn": roles["Writer"],
                },
            },
        },
    )
    aws.delete("Passes")
    if denied is None:
        assert stack["StackStatus"] == "CREATE_COMPLETE"
    else:
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
        assert f"is not authorized to perform: {denied}" in stack["StackStatusReason"]


def test_a_metric_filter_is_put_changed_and_taken_off(aws: LocalAws) -> None:
    def resources(pattern: str) -> dict[str, Any]:
        transformation = {"MetricName": "N", "MetricNamespace": "S", "MetricValue": "1", "DefaultValue": 0}
        return {
            "Group": {"Type": "AWS::Logs::LogGroup"},
            "Filter": {
                "Type": "AWS::Logs::MetricFilter",
                "Properties": {
                    "LogGroupName": {"Ref": "Group"},
                    "FilterPattern": pattern,
                    "MetricTransformations": [transformation],
                },
            },
        }

    def patterns() -> list[str]:
        found = aws.client("logs").describe_metric_filters(metricName="N", metricNamespace="S")["metricFilters"]
        return [each["filterPattern"] for each in found]

    aws.create("Filters", resources("one"))
    assert patterns() == ["one"]
    aws.update("Filters", resources("two"))
    assert patterns() == ["two"]
    aws.delete("Filters")
    assert patterns() == []


def test_a_log_groups_arn_covers_its_streams(aws: LocalAws) -> None:
    outputs = {"Arn": {"Value": {"Fn::GetAtt": ["Group", "Arn"]}}}
    stack = aws.create("GroupArn", {"Group": {"Type": "AWS::Logs::LogGroup"}}, Outputs=outputs)
    aws.delete("GroupArn")

    assert json.dumps(stack["Outputs"]).count(":*") == 1
