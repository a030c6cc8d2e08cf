"""The boto3 clients that tests get from `workmail_local`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from workmail_local.testing.workmail_local import WorkMailLocal

pytestmark = pytest.mark.xdist_group("workmail-local")

HANDLERS = Path(__file__).parents[1] / "handlers"
MESSAGE = b"From: ann@other.test\r\nTo: bob@example.com\r\nSubject: hello\r\n\r\nhi\r\n"


def test_clients_reach_buckets_and_messages_without_further_options(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "content")
    sent = workmail_local.send(MESSAGE)
    buckets = [bucket["Name"] for bucket in workmail_local.client("s3").list_buckets()["Buckets"]]
    assert "workmail-updates-rule" in buckets
    (flow,) = sent.detail["flows"]
    found = workmail_local.client("workmailmessageflow").get_raw_message_content(messageId=flow["messageId"])
    assert found["messageContent"].read() == sent.content
