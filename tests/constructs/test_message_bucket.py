"""The bucket from which WorkMail reads updated messages."""

from __future__ import annotations

import json

import pytest
from aws_cdk.aws_kms import Key
from aws_cdk.aws_s3 import Bucket
from constructs import Construct

from tests.constructs.stacks import (
    ACCOUNT,
    MESSAGES_ARN,
    errors_of,
    new_function,
    new_rule,
    new_stack,
    only,
    properties_of,
    rights_of,
    statements_of,
    warnings_of,
)
from workmail_constructs import ContentAccess, FlowDirection

UPDATE = ContentAccess.UPDATE
WORKMAIL = {"Service": "workmail.eu-west-1.amazonaws.com"}


@pytest.mark.fact("C5")
def test_workmail_may_read_objects_under_the_documented_conditions_and_only_over_tls() -> None:
    stack = new_stack()
    rule = new_rule(stack, content_access=UPDATE)
    assert rule.message_bucket is not None
    objects = stack.resolve(rule.message_bucket.arn_for_objects("*"))

    *denials, allowed = statements_of(stack, "AWS::S3::BucketPolicy")
    assert allowed == {
        "Effect": "Allow",
        "Principal": WORKMAIL,
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": objects,
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "Bool": {"aws:SecureTransport": "true"},
            "ArnLike": {"aws:SourceArn": f"{MESSAGES_ARN}/*"},
        },
    }
    assert all(denial["Effect"] == "Deny" for denial in denials)
    assert {"Bool": {"aws:SecureTransport": "false"}} in [denial["Condition"] for denial in denials]


def test_the_bucket_is_closed_encrypted_versioned_and_empty_after_a_day() -> None:
    stack = new_stack()
    new_rule(stack, content_access=UPDATE)

    bucket = only(stack, "AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["LifecycleConfiguration"]["Rules"] == [
        {
            "Status": "Enabled",
            "ExpirationInDays": 1,
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
        {"Status": "Enabled", "ExpiredObjectDeleteMarker": True},
    ]
    assert "BucketName" not in bucket


def test_the_function_may_put_and_nothing_more() -> None:
    stack = new_stack()
    rule = new_rule(stack, content_access=UPDATE)
    assert rule.message_bucket is not None

    content, bucket = rights_of(stack)
    assert content == {
        "Action": ["workmailmessageflow:GetRawMessageContent", "workmailmessageflow:PutRawMessageContent"],
        "Effect": "Allow",
        "Resource": f"{MESSAGES_ARN}/incoming/*",
    }
    assert bucket == {
        "Action": "s3:PutObject",
        "Effect": "Allow",
        "Resource": stack.resolve(rule.message_bucket.arn_for_objects("*")),
    }


def test_the_handler_finds_the_bucket_in_its_environment() -> None:
    stack = new_stack()
    rule = new_rule(stack, content_access=UPDATE, environment={"BANNER": "External"})
    assert rule.message_bucket is not None

    assert only(stack, "AWS::Lambda::Function")["Environment"]["Variables"] == {
        "BANNER": "External",
        "WORKMAIL_MESSAGE_BUCKET": stack.resolve(rule.message_bucket.bucket_name),
    }


def test_each_rule_has_its_own_bucket() -> None:
    stack = new_stack()
    first = new_rule(stack, "First", content_access=UPDATE)
    second = new_rule(stack, "Second", organization=first.organization, content_access=UPDATE)

    assert first.message_bucket is not second.message_bucket
    assert len(properties_of(stack, "AWS::S3::Bucket")) == 2


def test_a_bucket_may_be_shared() -> None:
    stack = new_stack()
    first = new_rule(stack, "First", content_access=UPDATE)
    new_rule(
        stack,
        "Second",
        organization=first.organization,
        direction=FlowDirection.OUTBOUND,
        content_access=UPDATE,
        message_bucket=first.message_bucket,
    )

    only(stack, "AWS::S3::Bucket")
    allowed = [each for each in statements_of(stack, "AWS::S3::BucketPolicy") if each["Effect"] == "Allow"]
    assert len(allowed) == 1


def test_a_function_shared_by_rules_keeps_its_bucket() -> None:
    stack = new_stack()
    first = new_rule(stack, "First", content_access=UPDATE)
    second = new_rule(
        stack,
        "Second",
        function=first.function,
        organization=first.organization,
        direction=FlowDirection.OUTBOUND,
        content_access=UPDATE,
    )

    assert second.message_bucket is first.message_bucket
    only(stack, "AWS::S3::Bucket")


def test_an_existing_bucket_gets_the_statement_and_an_existing_function_its_name() -> None:
    stack = new_stack()
    bucket = Bucket(stack, "Bucket", enforce_ssl=True)
    rule = new_rule(stack, function=new_function(stack), content_access=UPDATE, message_bucket=bucket)

    assert rule.message_bucket is bucket
    only(stack, "AWS::S3::Bucket")
    assert [
        each["Principal"] for each in statements_of(stack, "AWS::S3::BucketPolicy") if each["Effect"] == "Allow"
    ] == [WORKMAIL]
    variables = only(stack, "AWS::Lambda::Function")["Environment"]["Variables"]
    assert variables == {"WORKMAIL_MESSAGE_BUCKET": stack.resolve(bucket.bucket_name)}


@pytest.mark.fact("C5")
def test_an_imported_bucket_is_warned_about() -> None:
    stack = new_stack()
    bucket = Bucket.from_bucket_name(stack, "Bucket", "updated-messages")
    new_rule(stack, content_access=UPDATE, message_bucket=bucket)

    ((path, text),) = warnings_of(stack)
    assert path == "/Mail/Bucket"
    assert "an imported bucket for updated messages, whose policy CDK cannot change" in text
    assert "InvalidContentLocation" in text
    statement = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert statement == {
        "Effect": "Allow",
        "Principal": WORKMAIL,
        "Action": ["s3:GetObject", "s3:GetObjectVersion"],
        "Resource": "arn:${AWS::Partition}:s3:::updated-messages/*",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "Bool": {"aws:SecureTransport": "true"},
            "ArnLike": {"aws:SourceArn": f"{MESSAGES_ARN}/*"},
        },
    }


@pytest.mark.fact("C6")
def test_a_bucket_whose_name_workmail_does_not_take_is_an_error() -> None:
    stack = new_stack()
    bucket = Bucket.from_bucket_name(stack, "Bucket", "updated.messages")
    new_rule(stack, content_access=UPDATE, message_bucket=bucket)

    ((path, text),) = errors_of(stack)
    assert path == "/Mail/Rule"
    assert "found the bucket updated.messages" in text


def test_a_key_encrypts_the_bucket_and_lets_function_and_workmail_use_it() -> None:
    stack = new_stack()
    key = Key(stack, "Key")
    new_rule(stack, content_access=UPDATE, message_key=key)
    key_arn = stack.resolve(key.key_arn)

    (encryption,) = only(stack, "AWS::S3::Bucket")["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}
    assert {"Action": "kms:GenerateDataKey", "Effect": "Allow", "Resource": key_arn} in statements_of(stack)
    of_workmail = [
        statement
        for statement in only(stack, "AWS::KMS::Key")["KeyPolicy"]["Statement"]
        if statement["Principal"] == WORKMAIL
    ]
    assert of_workmail == [
        {
            "Effect": "Allow",
            "Principal": WORKMAIL,
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
                "ArnLike": {"aws:SourceArn": f"{MESSAGES_ARN}/*"},
            },
        }
    ]


def test_an_imported_key_is_warned_about() -> None:
    stack = new_stack()
    key = Key.from_key_arn(stack, "Key", f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0000")
    new_rule(stack, content_access=UPDATE, message_key=key)

    texts = [text for _, text in warnings_of(stack)]
    assert any("[ack: workmail-constructs:WorkMailKeyPolicy]" in text for text in texts)


def test_conditions_follow_a_stack_without_environment() -> None:
    stack = new_stack(env=None)
    new_rule(Construct(stack, "Inner"), content_access=UPDATE)

    (allowed,) = [each for each in statements_of(stack, "AWS::S3::BucketPolicy") if each["Effect"] == "Allow"]
    assert allowed["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert {"Ref": "AWS::Region"} in allowed["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Join"][1]
