"""A deployed function's own AWS calls, decided by its role's policies."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from tests.local.aws.conftest import ROLE, LocalAws, function

pytestmark = pytest.mark.xdist_group("aws")

ORGANIZATION = f"m-{'0' * 32}"
OTHER_ORGANIZATION = f"m-{'1' * 32}"
OWN = f"organization/{ORGANIZATION}"


def allow(*actions: str, on: object = "*") -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on}


def test_a_function_may_do_what_its_role_allows_and_no_more(aws: LocalAws) -> None:
    table = {
        "Type": "AWS::DynamoDB::Table",
        "Properties": {
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "BillingMode": "PAY_PER_REQUEST",
        },
    }
    statements = [
        allow("s3:PutObject", on={"Fn::Join": ["", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "/updates/*"]]}),
        allow("dynamodb:PutItem", on={"Fn::GetAtt": ["Table", "Arn"]}),
        allow("sqs:SendMessage", on={"Fn::GetAtt": ["Queue", "Arn"]}),
        allow("secretsmanager:GetSecretValue", on={"Ref": "Secret"}),
        allow("workmail:ListUsers", on={"Fn::Sub": f"arn:aws:workmail:us-east-1:${{AWS::AccountId}}:{OWN}"}),
    ]
    tls_only = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "s3:*",
        "Resource": {"Fn::Join": ["", [{"Fn::GetAtt": ["Bucket", "Arn"]}, "/*"]]},
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    stack = aws.create(
        "Access",
        {
            "Bucket": {"Type": "AWS::S3::Bucket"},
            "BucketPolicy": {
                "Type": "AWS::S3::BucketPolicy",
                "Properties": {
                    "Bucket": {"Ref": "Bucket"},
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": [tls_only]},
                },
            },
            "Table": table,
            "Other": table,
            "Queue": {"Type": "AWS::SQS::Queue"},
            "Topic": {"Type": "AWS::SNS::Topic"},
            "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"SecretString": "s"}},
            "Role": ROLE,
            "Policy": {
                "Type": "AWS::IAM::Policy",
                "Properties": {
                    "PolicyName": "Own",
                    "Roles": [{"Ref": "Role"}],
                    "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
                },
            },
            "Function": function(),
        },
    )
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack["StackStatusReason"]
    names = aws.resources("Access")
    (arn,) = aws.deployment("Access").functions
    role = aws.deployment("Access").functions[arn].role_arn

    def own(service: str):
        return aws.client(service, access_key=aws.keys.of_function(arn))

    bucket = names["Bucket"]
    own("s3").put_object(Bucket=bucket, Key="updates/1", Body=b"x")
    with pytest.raises(ClientError) as refused:
        own("s3").put_object(Bucket=bucket, Key="elsewhere", Body=b"x")
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    wanted = f"User: {role} is not authorized to perform: s3:PutObject on resource: arn:aws:s3:::{bucket}/elsewhere"
    assert wanted in refused.value.response["Error"]["Message"]
    for call in (
        lambda: own("s3").get_object(Bucket=bucket, Key="updates/1"),
        lambda: own("s3").list_objects_v2(Bucket=bucket),
        lambda: own("dynamodb").put_item(TableName=names["Other"], Item={"id": {"S": "1"}}),
        lambda: own("dynamodb").scan(TableName=names["Table"]),
        lambda: own("sqs").receive_message(QueueUrl=names["Queue"]),
        lambda: own("sns").publish(TopicArn=names["Topic"], Message="x"),
        lambda: own("workmail").list_users(OrganizationId=OTHER_ORGANIZATION),
        lambda: own("workmail").list_groups(OrganizationId=ORGANIZATION),
        lambda: own("secretsmanager").put_secret_value(SecretId=names["Secret"], SecretString="x"),
    ):
        with pytest.raises(ClientError, match=r"AccessDenied.*is not authorized to perform"):
            call()
    own("dynamodb").put_item(TableName=names["Table"], Item={"id": {"S": "1"}})
    own("sqs").send_message(QueueUrl=names["Queue"], MessageBody="x")
    assert own("secretsmanager").get_secret_value(SecretId=names["Secret"])["SecretString"] == "s"
    assert own("workmail").list_users(OrganizationId=ORGANIZATION)["Users"] == []
    assert own("sts").get_caller_identity()["Account"] == "123456789012"
    # Nobody else is asked for permission.
    aws.client("s3").get_object(Bucket=bucket, Key="updates/1")
