"""Records of an on-failure queue, which anybody with the right to send can write to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from workmail_flow.failure_record import FailureRecord, FailureRecordError

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:rule"
EVENT = {
    "summaryVersion": "2019-07-28",
    "envelope": {"mailFrom": {"address": "ann@x.test"}, "recipients": [{"address": "bob@example.com"}]},
    "subject": "Grüße",
    "messageId": "00000000-0000-0000-0000-000000000000",
    "invocationId": "11111111-1111-1111-1111-111111111111",
}


def as_aws_documents_it(**changes: Any) -> dict[str, Any]:
    return {
        "version": "1.0",
        "timestamp": "2026-03-01T18:16:05.568Z",
        "requestContext": {
            "requestId": "e4b46cbf-b738-xmpl-8880-a18cdf61200e",
            "functionArn": f"{ARN}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": EVENT,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "ValueError", "errorMessage": "no mailbox bob@example.com"},
    } | changes


def context(**changes: Any) -> dict[str, Any]:
    return {"requestContext": as_aws_documents_it()["requestContext"] | changes}


@pytest.mark.fact("E7", "E8")
def test_a_record_as_aws_documents_it_is_read_and_written_again() -> None:
    record = FailureRecord.read(json.dumps(as_aws_documents_it()))
    assert record.timestamp == datetime(2026, 3, 1, 18, 16, 5, 568000, tzinfo=UTC)
    assert (record.invoked, record.invoke_count, record.error_type) == (ARN, 3, "ValueError")
    assert (record.message_id, record.invocation_id) == (EVENT["messageId"], EVENT["invocationId"])
    assert json.loads(record.payload()) == EVENT
    assert "Grüße".encode() in record.payload()
    assert record.to_json() == as_aws_documents_it()


@pytest.mark.parametrize(("written", "invoked"), [(f"{ARN}:live", f"{ARN}:live"), (f"{ARN}:7", f"{ARN}:7"), (ARN, ARN)])
def test_an_alias_or_version_that_failed_is_the_one_to_invoke(written: str, invoked: str) -> None:
    assert FailureRecord.read(json.dumps(as_aws_documents_it(**context(functionArn=written)))).invoked == invoked


@pytest.mark.fact("E2")
def test_an_event_of_an_old_edition_has_no_ids() -> None:
    event = {"envelope": EVENT["envelope"], "subject": "hello"}
    record = FailureRecord.read(json.dumps(as_aws_documents_it(requestPayload=event)))
    assert (record.message_id, record.invocation_id) == (None, None)


def test_what_is_not_needed_may_be_missing_or_odd() -> None:
    bare = {
        key: value for key, value in as_aws_documents_it().items() if key not in ("responseContext", "responsePayload")
    }
    record = FailureRecord.read(json.dumps(bare))
    assert (record.error_type, record.error_message, record.executed_version) == (None, None, None)
    odd = as_aws_documents_it(responsePayload={"errorType": "bob@example.com is no name", "errorMessage": 7})
    assert FailureRecord.read(json.dumps(odd)).error_type is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a failure record of Lambda"),
        (json.dumps(EVENT), "the event alone, as in a dead-letter queue"),
        (as_aws_documents_it(version=1), "not a failure record"),
        (as_aws_documents_it(timestamp="yesterday"), "not a failure record"),
        (as_aws_documents_it(timestamp="0001-01-01T00:00:00+14:00"), "not a failure record"),
        (as_aws_documents_it(**context(functionArn="rule")), "not a failure record"),
        (as_aws_documents_it(**context(functionArn=f"{ARN}:a:b")), "not a failure record"),
        (as_aws_documents_it(**context(functionArn=f"{ARN}/../x")), "not a failure record"),
        (as_aws_documents_it(**context(functionArn=f"{ARN}\n")), "not a failure record"),
        (as_aws_documents_it(**context(requestId="bob@example.com")), "not a failure record"),
        (as_aws_documents_it(**context(condition="\x1b[31m")), "not a failure record"),
        (as_aws_documents_it(requestPayload={"Records": []}), "its event is not one of WorkMail"),
        (as_aws_documents_it(requestPayload=EVENT | {"envelope": []}), "its event is not one of WorkMail"),
        (as_aws_documents_it(requestPayload=EVENT | {"messageId": "../x"}), "its event is not one of WorkMail"),
        (as_aws_documents_it(requestPayload=EVENT | {"invocationId": None}), "its event is not one of WorkMail"),
        (as_aws_documents_it(requestPayload=EVENT | {"subject": "\ud800"}), "its event is not strict JSON"),
        (as_aws_documents_it(requestPayload=EVENT | {"subject": float("nan")}), "its event is not strict JSON"),
    ],
)
def test_anything_else_is_no_record_and_is_not_quoted(text: str | dict[str, Any], why: str) -> None:
    with pytest.raises(FailureRecordError, match=why) as error:
        FailureRecord.read(text if isinstance(text, str) else json.dumps(text))
    assert "example.com" not in str(error.value)
