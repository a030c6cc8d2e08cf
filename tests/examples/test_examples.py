"""Each example, deployed to a local WorkMail with the real CDK CLI and fed real messages."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workmail_local.testing.workmail_local import WorkMailLocal

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

pytestmark = pytest.mark.xdist_group("examples")


def _invoice() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Billing <billing@example.org>"
    message["To"] = "Alice <alice@example.com>"
    message["Date"] = "Sat, 21 Nov 2026 09:00:00 +0000"
    message["Message-ID"] = "<invoice-117@example.org>"
    message["Subject"] = "Rechnung für November"
    message.set_content("Dear Alice,\n\nplease find our invoice attached.\n")
    message.add_attachment(bytes(range(256)) * 8, maintype="application", subtype="pdf", filename="invoice.pdf")
    return message


@pytest.fixture(scope="module")
def edit_message(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkMailLocal]:
    with WorkMailLocal.running(tmp_path_factory.mktemp("edit_message")) as local:
        local.deploy_app(EXAMPLES / "edit_message")
        yield local


@pytest.mark.fact("C1", "C5")
def test_edit_message_marks_mail_from_outside_and_keeps_the_attachment(edit_message: WorkMailLocal) -> None:
    sent = edit_message.send(_invoice())

    assert sent.succeeded, sent.logs
    assert sent.message["Subject"] == "[EXT] Rechnung für November"
    body = sent.message.get_body(("plain",))
    assert body is not None
    assert "comes from outside" in body.get_content()
    (attachment,) = sent.message.iter_attachments()
    assert attachment.get_content() == bytes(range(256)) * 8


@pytest.mark.fact("C8", "C9")
def test_edit_message_lets_a_message_pass_unchanged_that_cannot_be_updated(edit_message: WorkMailLocal) -> None:
    program = EXAMPLES / "hello_world" / "messages" / "attachment.eml"

    sent = edit_message.send(program)

    assert sent.content == program.read_bytes().replace(b"\n", b"\r\n")  # as SMTP carries it
    assert set(sent.actions.values()) == {"DEFAULT"}
    assert "MessageRejected" in sent.logs
    assert "alice" not in sent.logs
