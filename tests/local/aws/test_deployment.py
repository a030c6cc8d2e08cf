"""What is read back of a deployed stack, and that it outlives the endpoint."""

from __future__ import annotations

import hashlib
import io
import json
import os
import select
import signal
import subprocess
import sys
import zipfile
from contextlib import suppress

import pytest

from tests.local.aws.conftest import ROLE, LocalAws, function
from workmail_local.aws.server import AwsEndpoint, AwsEndpointError
from workmail_local.deployment import load_deployments

pytestmark = pytest.mark.xdist_group("aws")

ORGANIZATION_ID = "m-0123456789abcdef0123456789abcdef"
ORGANIZATION_ARN = {
    "Fn::Join": [
        "",
        [
            *["arn:", {"Ref": "AWS::Partition"}, ":workmail:", {"Ref": "AWS::Region"}, ":"],
            *[{"Ref": "AWS::AccountId"}, f":organization/{ORGANIZATION_ID}"],
        ],
    ]
}
ASSETS = "cdk-hnb659fds-assets-123456789012-us-east-1"


def zipped(name: str, content: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writing:
        writing.writestr(name, content)
    return archive.getvalue()


def put_asset(aws: LocalAws, content: bytes, extension: str = "zip") -> dict[str, str]:
    key = f"{hashlib.sha256(content).hexdigest()}.{extension}"
    aws.client("s3").put_object(Bucket=ASSETS, Key=key, Body=content)
    return {"S3Bucket": ASSETS, "S3Key": key}


def rule_metadata(function_arn: object) -> dict[str, object]:
    rule = {
        "name": "Hello",
        "direction": "inbound",
        "action": "RUN_LAMBDA",
        "senders": ["*"],
        "destinations": ["*"],
        "function": function_arn,
        "synchronous": True,
        "fallback": "DEFAULT",
        "ruleTimeoutMinutes": 30,
    }
    return {
        "WorkMailEmailFlow": {
            "version": 1,
            "organizations": [
                {
                    "organizationId": ORGANIZATION_ID,
                    "organizationArn": ORGANIZATION_ARN,
                    "domains": ["example.com"],
                    "rules": [rule],
                }
            ],
        }
    }


def test_everything_the_local_workmail_asks_for_is_read_back(aws: LocalAws) -> None:
    code, layer = zipped("app.py", "def handler(e, c): pass"), zipped("python/extra.py", "X = 1")
    resources = {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                **ROLE["Properties"],
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
                "Policies": [
                    {
                        "PolicyName": "Content",
                        "PolicyDocument": {
                            "Version": "2012-10-17",
                            "Statement": {
                                "Effect": "Allow",
                                "Action": "workmailmessageflow:GetRawMessageContent",
                                "Resource": {"Fn::Sub": "arn:aws:workmailmessageflow:${AWS::Region}:*:message/x/*"},
                            },
                        },
                    }
                ],
            },
        },
        "Policy": {
            "Type": "AWS::IAM::Policy",
            "Properties": {
                "PolicyName": "Send",
                "Roles": [{"Ref": "Role"}],
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["Queue", "Arn"]}}
                    ],
                },
            },
        },
        "Layer": {
            "Type": "AWS::Lambda::LayerVersion",
            "Properties": {"Content": put_asset(aws, layer), "CompatibleRuntimes": ["python3.13"]},
        },
        "Function": function(
            Handler="app.handler",
            Code=put_asset(aws, code),
            Architectures=["arm64"],
            MemorySize=512,
            Timeout=12,
            Layers=[{"Ref": "Layer"}, "arn:aws:lambda:us-east-1:111111111111:layer:elsewhere:3"],
            Environment={"Variables": {"QUEUE": {"Ref": "Queue"}, "STAGE": "test"}},
        ),
        "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Function"}}},
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "FunctionVersion": {"Fn::GetAtt": ["Version", "Version"]},
                "Name": "live",
            },
        },
        "Invoke": {
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "Qualifier": "live",
                "MaximumRetryAttempts": 0,
                "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": ["Queue", "Arn"]}}},
            },
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Alias"},
                "Action": "lambda:InvokeFunction",
                "Principal": {"Fn::Sub": "workmail.${AWS::Region}.amazonaws.com"},
                "SourceArn": ORGANIZATION_ARN,
            },
        },
        "Bucket": {"Type": "AWS::S3::Bucket"},
        "BucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": {"Ref": "Bucket"},
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "workmail.us-east-1.amazonaws.com"},
                            "Action": "s3:GetObject",
                            "Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "/*"]]},
                        }
                    ],
                },
            },
        },
    }
    stack = aws.create("Whole", resources, Metadata=rule_metadata({"Ref": "Alias"}))
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack["StackStatusReason"]
    deployed = aws.deployment("Whole")
    names = aws.resources("Whole")
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{names['Function']}"
    assert set(deployed.functions) == {arn, f"{arn}:1", f"{arn}:live"}
    live = deployed.functions[f"{arn}:live"]
    assert live.code.read_bytes() == code
    assert [path.read_bytes() for path in live.layers] == [layer]
    assert live.missing_layers == ("arn:aws:lambda:us-east-1:111111111111:layer:elsewhere:3",)
    assert (live.runtime, live.handler, live.architecture) == ("python3.13", "app.handler", "arm64")
    assert (live.memory_mb, live.timeout_s, live.package_type) == (512, 12, "Zip")
    assert live.environment == {"QUEUE": names["Queue"], "STAGE": "test"}
    queue_arn = f"arn:aws:sqs:us-east-1:123456789012:{names['Queue'].rpartition('/')[2]}"
    assert (live.on_failure_arn, live.max_retries) == (queue_arn, 0)
    assert (deployed.functions[arn].on_failure_arn, deployed.functions[arn].max_retries) == (None, 2)

    organization_arn = f"arn:aws:workmail:us-east-1:123456789012:organization/{ORGANIZATION_ID}"
    (permission,) = deployed.function_policies[f"{arn}:live"]
    assert permission["Principal"] == {"Service": "workmail.us-east-1.amazonaws.com"}
    assert permission["Condition"] == {"ArnLike": {"AWS:SourceArn": organization_arn}}
    assert arn not in deployed.function_policies
    statements = deployed.role_policies[live.role_arn]
    assert [statement["Action"] for statement in statements] == [
        "workmailmessageflow:GetRawMessageContent",
        ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
        "sqs:SendMessage",
    ]
    assert statements[0]["Resource"] == "arn:aws:workmailmessageflow:us-east-1:*:message/x/*"
    assert statements[2]["Resource"] == queue_arn
    (read,) = deployed.bucket_policies[names["Bucket"]]
    assert read["Resource"] == f"arn:aws:s3:::{names['Bucket']}/*"

    (organization,) = deployed.organizations
    assert (organization.organization_id, organization.domains) == (ORGANIZATION_ID, ("example.com",))
    (rule,) = organization.rules
    assert rule.function == f"{arn}:live"

    # Another version of the layer reaches the function, although nothing of the function changed.
    newer = zipped("python/extra.py", "X = 2")
    resources["Layer"]["Properties"]["Content"] = put_asset(aws, newer)
    aws.update("Whole", resources, Metadata=rule_metadata({"Ref": "Alias"}))
    assert [path.read_bytes() for path in aws.deployment("Whole").functions[arn].layers] == [newer]
    assert [path.read_bytes() for path in aws.deployment("Whole").functions[f"{arn}:live"].layers] == [layer]


def test_a_stack_whose_rules_cannot_be_read_back_has_failed(aws: LocalAws) -> None:
    metadata = rule_metadata({"Fn::GetAtt": ["NoSuchFunction", "Arn"]})
    stack = aws.create("Unreadable", {"Queue": {"Type": "AWS::SQS::Queue"}}, Metadata=metadata)
    aws.delete("Unreadable")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "NoSuchFunction" in stack["StackStatusReason"]


def test_what_a_failed_deletion_leaves_is_reported_and_goes_with_the_endpoint(tmp_path) -> None:
    endpoint = AwsEndpoint.start(tmp_path, region="us-east-1")
    try:
        aws = LocalAws(endpoint, tmp_path)
        resources = {"Bucket": {"Type": "AWS::S3::Bucket"}, "Role": ROLE, "Hello": function()}
        aws.create("Half", resources, Metadata=rule_metadata({"Fn::GetAtt": ["Hello", "Arn"]}))
        aws.client("s3").put_object(Bucket=aws.resources("Half")["Bucket"], Key="kept", Body=b"x")
        aws.delete("Half")
        left = aws.deployment("Half")
        assert (left.resources, left.organizations, dict(left.functions)) == (("Bucket",), (), {})
    finally:
        endpoint.stop()
    again = AwsEndpoint.start(tmp_path, region="us-east-1", port=int(endpoint.url.rpartition(":")[2]))
    assert again.url == endpoint.url
    # A port that is taken is no reason not to start.
    beside = AwsEndpoint.start(region="us-east-1", port=int(endpoint.url.rpartition(":")[2]))
    assert beside.url != endpoint.url
    beside.stop()
    again.stop()
    assert load_deployments(tmp_path) == ()


def test_deployments_outlive_the_endpoint_with_their_names(tmp_path) -> None:
    first = AwsEndpoint.start(tmp_path, region="us-east-1")
    aws = LocalAws(first, tmp_path)
    try:
        # The nested stack imports the value itself, as CDK writes it.
        variables = {"Bucket": {"Ref": "Bucket"}, "Url": {"Fn::ImportValue": "url"}}
        nested = json.dumps(
            {
                "Parameters": {"Bucket": {"Type": "String"}},
                "Resources": {"Role": ROLE, "Function": function(Environment={"Variables": variables})},
                "Outputs": {"Name": {"Value": {"Ref": "Function"}}},
            }
        )
        template = put_asset(aws, nested.encode(), "json")
        # The consumer's folder sorts before the producer's, so the order has to be found by trying.
        aws.create(
            "Producer",
            {"Queue": {"Type": "AWS::SQS::Queue"}},
            Outputs={"Url": {"Value": {"Ref": "Queue"}, "Export": {"Name": "url"}}},
        )
        stack = aws.create(
            "Consumer",
            {
                "Bucket": {"Type": "AWS::S3::Bucket"},
                "Nested": {
                    "Type": "AWS::CloudFormation::Stack",
                    "Properties": {
                        "TemplateURL": f"https://s3.us-east-1.amazonaws.com/{ASSETS}/{template['S3Key']}",
                        "Parameters": {"Bucket": {"Ref": "Bucket"}},
                    },
                },
            },
            Outputs={"Name": {"Value": {"Fn::GetAtt": ["Nested", "Outputs.Name"]}}},
        )
        assert stack["StackStatus"] == "CREATE_COMPLETE", stack["StackStatusReason"]
        before, bucket = load_deployments(tmp_path), aws.resources("Consumer")["Bucket"]
        aws.create("Gone", {"Queue": {"Type": "AWS::SQS::Queue"}})
        aws.delete("Gone")
    finally:
        first.stop()

    second = AwsEndpoint.start(tmp_path, region="us-east-1")
    aws = LocalAws(second, tmp_path)
    try:
        assert second.failures == ()
        after = load_deployments(tmp_path)
        assert [(deployed.functions, deployed.outputs) for deployed in after] == [
            (deployed.functions, deployed.outputs) for deployed in before
        ]
        assert len(after) == 3
        assert aws.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 0
        assert aws.stack("Consumer")["StackId"] == stack["StackId"]
        aws.delete("Consumer")
        assert [deployed.stack for deployed in load_deployments(tmp_path)] == ["Producer"]
    finally:
        second.stop()


def test_a_deployment_that_cannot_be_replayed_is_reported_and_kept(tmp_path) -> None:
    first = AwsEndpoint.start(tmp_path, region="us-east-1")
    LocalAws(first, tmp_path).create("Kept", {"Queue": {"Type": "AWS::SQS::Queue"}})
    first.stop()
    (saved,) = tmp_path.glob("deployments/*/stack.json")
    content = json.loads(saved.read_text())
    broken = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "DependsOn": "Queue"}}}
    saved.write_text(json.dumps({**content, "template": json.dumps(broken)}))

    second = AwsEndpoint.start(tmp_path, region="us-east-1")
    second.stop()
    assert second.failures == ("Kept: Circular dependency between resources: [Queue]",)
    assert [deployed.stack for deployed in load_deployments(tmp_path)] == ["Kept"]


def test_an_endpoint_that_cannot_start_says_why(tmp_path) -> None:
    (tmp_path / "deployments").mkdir()
    (tmp_path / "deployments" / "Bad.us-east-1.123456789012").mkdir()
    (tmp_path / "deployments" / "Bad.us-east-1.123456789012" / "stack.json").write_text("{")
    with pytest.raises(AwsEndpointError, match=r"the AWS endpoint ended with status 1: (.|\n)*JSONDecodeError"):
        AwsEndpoint.start(tmp_path, region="us-east-1")


def test_the_endpoint_ends_with_the_process_that_started_it() -> None:
    code = (
        "from workmail_local.aws.server import AwsEndpoint; import sys\n"
        "print(AwsEndpoint.start(None, region='us-east-1').pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        endpoint = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    ended, _, _ = select.select([endpoint], [], [], 10)
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(endpoint, signal.SIGKILL)
    os.close(endpoint)
    assert ended, "the endpoint still runs ten seconds after its parent was killed"
