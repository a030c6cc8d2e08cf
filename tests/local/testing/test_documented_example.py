"""What docs/testing.md shows: a rule's handler tested with real mail. It needs no Node and no AWS account."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from workmail_local.testing.workmail_local import WorkMailLocal

HANDLER = Path(__file__).parents[1] / "handlers" / "large_lists"


@pytest.fixture
def newsletter() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "news@shop.example"
    message["To"] = "ann@example.com, bob@example.com, eve@example.com"
    message["Subject"] = "Our offers"
    message.set_content("Buy now")
    return message


def test_many_recipients_get_it_as_junk(workmail_local: WorkMailLocal, newsletter: EmailMessage) -> None:
    workmail_local.deploy_handler(HANDLER, environment={"MOST": "2"})

    sent = workmail_local.send(newsletter)

    assert sent.actions == dict.fromkeys(sent.actions, "MOVE_TO_JUNK")
    assert [mail["Subject"] for mail in workmail_local.junk("ann@example.com")] == ["Our offers"]


def test_mail_is_delivered_although_the_function_fails_for_an_hour(
    workmail_local: WorkMailLocal, newsletter: EmailMessage
) -> None:
    workmail_local.deploy_handler(HANDLER, fallback="DEFAULT", rule_timeout_minutes=60)
    workmail_local.add_fault("function-error")

    sent = workmail_local.send(newsletter)  # an hour takes a second: see workmail_local_time_scale

    assert len(sent.attempts) > 5
    assert sent.attempts[-1]["outcome"] == "function-error"
    assert [mail["Subject"] for mail in workmail_local.inbox("bob@example.com")] == ["Our offers"]
