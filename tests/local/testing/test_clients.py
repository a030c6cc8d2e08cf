"""The boto3 clients that tests get from `workmail_local`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workmail_local.handler_folder import HandlerFolderError

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


def test_a_handler_folder_imports_what_it_includes(workmail_local: WorkMailLocal, tmp_path: Path) -> None:
    (tmp_path / "handler").mkdir()
    (tmp_path / "handler" / "app.py").write_text("from shared import handler\n")
    (tmp_path / "shared.py").write_text("def handler(event, context): return {'actions': []}\n")
    workmail_local.deploy_handler(tmp_path / "handler", include=("../shared.py",))
    assert workmail_local.send(MESSAGE).succeeded


def test_what_a_handler_folder_cannot_include_is_refused(workmail_local: WorkMailLocal) -> None:
    with pytest.raises(HandlerFolderError, match=r"include: found ../gone; allowed is a folder or module, .*/gone"):
        workmail_local.deploy_handler(HANDLERS / "content", include=("../gone",))
