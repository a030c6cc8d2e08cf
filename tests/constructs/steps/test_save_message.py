"""`SaveMessage` in a rule: what it packs and grants, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import Stack
from aws_cdk.aws_kms import Key
from aws_cdk.aws_s3 import Bucket, BucketEncryption

from tests.constructs.stacks import HERE, MESSAGES_ARN, errors_of, new_stack, rights_of, warnings_of
from tests.constructs.steps.rules import configuration_of, new_rule_of
from workmail_constructs import FallbackAction, Run
from workmail_constructs.steps.save_message import SaveMessage
from workmail_constructs.steps.step import OnFailure


def test_the_function_may_read_messages_and_put_objects_below_the_prefix() -> None:
    stack = new_stack()
    bucket = Bucket(stack, "Archive", encryption=BucketEncryption.KMS, encryption_key=(key := Key(stack, "Key")))
    step = SaveMessage(bucket, prefix="mail/")
    assert configuration_of(stack, step) == {
        "bucket": {"$environment": "WORKMAIL_STEP_VALUE_0"},
        "prefix": "mail/",
        "header": None,
    }
    rights = {each["Action"]: each["Resource"] for each in rights_of(stack)}
    assert rights == {
        "workmailmessageflow:GetRawMessageContent": f"{MESSAGES_ARN}/incoming/*",
        "s3:PutObject": stack.resolve(bucket.arn_for_objects("mail/*")),
        "kms:GenerateDataKey": stack.resolve(key.key_arn),
    }
    assert (step.on_failure, step.guards) == (OnFailure.FAIL, True)


@pytest.mark.fact("C1")
def test_a_header_is_an_update() -> None:
    stack = new_stack()
    new_rule_of(stack, SaveMessage(Bucket(stack, "Archive"), header="X-Saved-As"))
    (read,) = [each for each in rights_of(stack) if "workmailmessageflow:PutRawMessageContent" in each["Action"]]
    assert "workmailmessageflow:GetRawMessageContent" in read["Action"]


@pytest.mark.fact("T4")
def test_it_only_looks_so_an_asynchronous_rule_can_have_it() -> None:
    stack = new_stack()
    bucket = Bucket(stack, "Archive")
    new_rule_of(stack, SaveMessage(bucket), run=Run.asynchronous())
    with pytest.raises(ValueError, match="found SaveMessage, which edits the message, on an asynchronous rule"):
        new_rule_of(stack, SaveMessage(bucket, header="X-Saved-As"), run=Run.asynchronous(), name="Other")


@pytest.mark.fact("T2")
def test_synth_warns_of_a_fallback_that_delivers_what_was_not_saved() -> None:
    stack = new_stack()
    run = Run.synchronous(fallback=FallbackAction.DEFAULT)
    new_rule_of(stack, SaveMessage(Bucket(stack, "Archive")), run=run)
    assert [text for _, text in warnings_of(stack) if "the fallback DEFAULT with SaveMessage" in text]


def test_a_bucket_of_another_region_is_an_error_and_one_of_another_account_is_not() -> None:
    stack = Stack(new_stack().node.root, "Here", env=HERE)  # type: ignore[arg-type]
    there = Bucket.from_bucket_attributes(stack, "There", bucket_name="there", region="us-east-1")
    theirs = Bucket.from_bucket_attributes(stack, "Theirs", bucket_name="theirs", account="999988887777")
    new_rule_of(stack, SaveMessage(theirs))
    assert errors_of(stack) == []
    new_rule_of(stack, SaveMessage(there), name="Other")
    ((path, text),) = errors_of(stack)
    assert path == "/Here/Other"
    assert "found the bucket of SaveMessage of Region us-east-1 in a stack of Region eu-west-1" in text


@pytest.mark.parametrize("prefix", ["/mail", "a b", "é", "a" * 501, "a?b"])
def test_a_prefix_that_a_url_would_change_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match=r"^prefix: found '.*'; letters, digits"):
        SaveMessage(Bucket(new_stack(), "Archive"), prefix=prefix)


@pytest.mark.fact("C8")
@pytest.mark.parametrize("header", ["", "X Saved", "From", "Subject", "content-type", "MIME-Version", "Received"])
def test_a_header_that_must_not_be_added_is_refused(header: str) -> None:
    arguments: dict[str, Any] = {"header": header}
    with pytest.raises(ValueError, match=r"^header: found '.*'; give a name that no other program uses"):
        SaveMessage(Bucket(new_stack(), "Archive"), **arguments)
