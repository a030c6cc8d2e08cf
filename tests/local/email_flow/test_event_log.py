"""WorkMail's event log, as the local WorkMail writes it."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.local.email_flow.engine_without_functions import FakeLogs, engine_without_functions
from tests.local.email_flow.test_rules_without_function import organization, rule
from tests.local.mail.hostile_messages import messages
from workmail_flow.email_events import EmailEvent
from workmail_flow.vocabulary import FlowDirection
from workmail_local.deployed import Deployed
from workmail_local.email_flow import email_events
from workmail_local.email_flow.engine import Submission
from workmail_local.email_monitoring import EmailMonitoring, MonitoringConfiguration
from workmail_local.faults import Fault, FaultKind
from workmail_local.message_head import MessageHead
from workmail_local.records import Message

if TYPE_CHECKING:
    from pathlib import Path

    from workmail_local.deployed import Organization

GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:events:*"
ROLE = "arn:aws:iam::123456789012:role/events"
MAIL = (
    b"From: Ann <ann@other.test>\r\nMessage-ID: <1@other.test>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Authentication-Results: amazonses.com; spf=pass smtp.mailfrom=other.test;\r\n"
    b" dkim=fail; dmarc=fail (p=REJECT) header.from=other.test\r\n\r\nhi\r\n"
)
RULES = (
    rule("DROP", "drop@example.com"),
    rule("MOVE_TO_JUNK", "junk@example.com"),
    rule("ROUTE_TO_SMTP_GATEWAY", "*", "outbound", smtpGateway="archive"),
)


def run(
    state: Path,
    *submissions: tuple[FlowDirection, str, list[str]],
    content: bytes = MAIL,
    faults: tuple[FaultKind, ...] = (),
    role: str | None = None,
    role_statements: list[dict[str, Any]] | None = None,
    organizations: tuple[Organization, ...] = (organization("1", ("example.com",), *RULES),),
    logs: FakeLogs | None = None,
) -> FakeLogs:
    """Send messages through an engine whose first organization has its events logged; return the logs."""
    deployed = Deployed(
        {one.organization_id: one for one in organizations},
        role_policies={ROLE: tuple(role_statements or ())},
    )
    EmailMonitoring(state).put(
        organizations[0].organization_id,
        MonitoringConfiguration(GROUP, role),
        account="123456789012",
        region="us-east-1",
    )

    async def send() -> FakeLogs:
        async with engine_without_functions(state, deployed, logs=logs) as running:
            for kind in faults:
                running.faults.add(Fault(kind))
            for direction, mail_from, recipients in submissions:
                await running.engine.accept(Submission("smtp", direction, mail_from, recipients, content))
                await running.engine.wait()
            return running.logs

    return asyncio.run(send())


def inbound(*recipients: str) -> tuple[FlowDirection, str, list[str]]:
    return FlowDirection.INBOUND, "ann@other.test", list(recipients)


def outbound(*recipients: str) -> tuple[FlowDirection, str, list[str]]:
    return FlowDirection.OUTBOUND, "bob@example.com", list(recipients)


def events(logs: FakeLogs) -> list[dict[str, Any]]:
    return [entry["event"] for entry in logs.entries]


@pytest.mark.fact("W3", "W4")
def test_every_event_of_an_inbound_message(tmp_path: Path) -> None:
    to = ["drop@example.com", "junk@example.com", "bob@example.com"]
    logs = run(tmp_path, inbound(*to))
    received, *others = events(logs)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", received.pop("messageTimestamp"))
    assert received == {
        "eventName": "ORGANIZATION_EMAIL_RECEIVED",
        "recipients": to,
        "from": "ann@other.test",
        "subject": "Grüße",
        "messageId": "<1@other.test>",
        "spamVerdict": "PASS",
        "dkimVerdict": "FAIL",
        "dmarcVerdict": "FAIL",
        "dmarcPolicy": "REJECT",
        "spfVerdict": "PASS",
    }
    assert [(one["ruleName"], one["ruleType"], one["ruleActions"]) for one in others[:2]] == [
        ("DROP drop@example.com", "INBOUND_RULE", [{"action": "DROP", "recipients": [to[0]]}]),
        ("MOVE_TO_JUNK junk@example.com", "INBOUND_RULE", [{"action": "MOVE_TO_JUNK", "recipients": [to[1]]}]),
    ]
    assert sorted(others[2:], key=lambda one: one["recipient"]) == [
        {"eventName": "MAILBOX_EMAIL_DELIVERED", "recipient": "bob@example.com", "folder": "Inbox"},
        {"eventName": "MAILBOX_EMAIL_DELIVERED", "recipient": "junk@example.com", "folder": "Junk E-mail"},
    ]
    assert len({entry["traceId"] for entry in logs.entries}) == 1


@pytest.mark.fact("W3")
def test_a_sender_is_named_only_if_somebody_sent_on_behalf_of_another(tmp_path: Path) -> None:
    on_behalf = b"From: ann@other.test\r\nSender: secretary@other.test\r\n\r\nhi\r\n"
    (received, *_) = events(run(tmp_path, inbound("bob@example.com"), content=on_behalf))
    assert (received["sender"], received["from"]) == ("secretary@other.test", "ann@other.test")
    assert received["dmarcVerdict"] == "GRAY"
    assert "dmarcPolicy" not in received


@pytest.mark.fact("W3", "W4")
def test_every_event_of_an_outbound_message(tmp_path: Path) -> None:
    logs = run(tmp_path, outbound("carol@other.test", "alice@example.com"))
    names = [one["eventName"] for one in events(logs)]
    assert names == [
        *("OUTGOING_EMAIL_SUBMITTED", "RULE_APPLIED"),
        *("OUTGOING_EMAIL_SENT", "OUTGOING_EMAIL_SENT"),
    ]
    submitted, applied, sent, _ = events(logs)
    assert submitted == {
        "eventName": "OUTGOING_EMAIL_SUBMITTED",
        "recipients": ["carol@other.test", "alice@example.com"],
        "from": "ann@other.test",
        "subject": "Grüße",
    }
    assert applied["ruleType"] == "OUTBOUND_RULE"
    assert sent == {
        "eventName": "OUTGOING_EMAIL_SENT",
        "recipient": "carol@other.test",
        "from": "ann@other.test",
        "messageId": "<1@other.test>",
    }


@pytest.mark.fact("W5")
def test_mail_for_a_gateway_that_cannot_be_reached_bounces_to_its_sender(tmp_path: Path) -> None:
    logs = run(tmp_path, outbound("carol@other.test"), faults=(FaultKind.GATEWAY_UNREACHABLE, FaultKind.MAILBOX_FULL))
    submitted, applied, bounced = events(logs)
    assert submitted["eventName"] == "OUTGOING_EMAIL_SUBMITTED"
    assert applied["ruleActions"] == [{"action": "ROUTE_TO_SMTP_GATEWAY", "recipients": ["carol@other.test"]}]
    assert bounced["eventName"] == "OUTGOING_EMAIL_BOUNCED"
    assert bounced["bouncedRecipient"]["emailAddress"] == "carol@other.test"
    (notice,) = (tmp_path / "mailboxes" / "bob@example.com" / "inbox" / "new").iterdir()
    assert b"To: bob@example.com" in notice.read_bytes()
    assert not (tmp_path / "outbound").exists()


@pytest.mark.fact("W1", "W3")
def test_mail_for_a_full_mailbox_bounces_and_a_rules_bounce_is_no_bounced_event(tmp_path: Path) -> None:
    bounce = organization("1", ("example.com",), rule("BOUNCE", "bounce@example.com"))
    to = inbound("bounce@example.com", "bob@example.com")
    logs = run(tmp_path, to, faults=(FaultKind.MAILBOX_FULL,), organizations=(bounce,))
    found = events(logs)
    assert [one["eventName"] for one in found] == [
        *("ORGANIZATION_EMAIL_RECEIVED", "RULE_APPLIED", "INCOMING_EMAIL_BOUNCED"),
    ]
    assert found[1]["ruleActions"] == [{"action": "BOUNCE", "recipients": ["bounce@example.com"]}]
    assert found[2]["bouncedRecipient"]["emailAddress"] == "bob@example.com"


@pytest.mark.fact("W2")
def test_only_organizations_with_a_configuration_are_logged_and_see_their_own_recipients(tmp_path: Path) -> None:
    both = (organization("1", ("example.com",)), organization("2", ("second.test",)))
    logs = run(tmp_path, inbound("bob@example.com", "eve@second.test"), organizations=both)
    received, delivered = events(logs)
    assert received["recipients"] == ["bob@example.com"]
    assert delivered["recipient"] == "bob@example.com"


def _statement(*actions: str, resource: str = GROUP) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


@pytest.mark.fact("W2")
@pytest.mark.parametrize(
    ("statement", "is_written"),
    [
        (_statement("logs:CreateLogStream", "logs:PutLogEvents"), True),
        (_statement("logs:PutLogEvents"), False),
        (_statement("logs:CreateLogStream"), False),
        (_statement("logs:CreateLogStream", "logs:PutLogEvents", resource=GROUP.replace("events", "others")), False),
    ],
)
def test_the_role_needs_both_rights_on_the_log_group(
    tmp_path: Path, statement: dict[str, Any], is_written: bool, caplog: pytest.LogCaptureFixture
) -> None:
    logs = run(tmp_path, inbound("bob@example.com"), role=ROLE, role_statements=[statement])
    assert bool(logs.entries) is is_written
    assert (ROLE in caplog.text) is not is_written


def test_mail_is_delivered_when_nothing_can_be_logged_and_it_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(tmp_path, inbound("bob@example.com"), inbound("bob@example.com"), logs=FakeLogs(failure="logs is gone"))
    assert len(list((tmp_path / "mailboxes" / "bob@example.com" / "inbox" / "new").iterdir())) == 2
    assert caplog.text.count("logs is gone") == 1


def test_a_message_too_large_for_an_entry_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    many = [f"{'x' * 60}{number}@{'y' * 60}.{'z' * 60}.example.com" for number in range(500)]
    wide = organization("1", tuple({one.partition("@")[2] for one in many}))
    content = b"From: ann@other.test\r\nSubject: " + b"\xf0\x9f\x98\x80" * 15_000 + b"\r\n\r\nhi\r\n"
    logs = run(tmp_path, inbound(*many), organizations=(wide,), content=content)
    assert {one["eventName"] for one in events(logs)} == {"MAILBOX_EMAIL_DELIVERED"}
    assert "too large" in caplog.text


@given(content=messages, rest=st.text())
def test_whatever_a_message_is_its_entry_is_read_back(content: bytes, rest: str) -> None:
    head = MessageHead.parse(content)
    message = Message("m", 0.0, "smtp", FlowDirection.INBOUND, "a@b.test", (rest,), head, len(content))
    event = email_events.accepted(message, content, message.recipients, spam=False)
    assert EmailEvent.read(event.to_text()) == event
    assert json.loads(event.to_text())["event"]["recipients"] == [rest]
