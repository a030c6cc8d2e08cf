"""Rules that decide without a function: what each action does with the mail."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.local.email_flow.engine_without_functions import engine_without_functions
from workmail_flow.rule_set import RuleSet
from workmail_flow.vocabulary import FlowDirection
from workmail_local.deployed import Deployed, Organization
from workmail_local.email_flow.engine import RefusedError, Submission

if TYPE_CHECKING:
    from pathlib import Path

    from workmail_local.records import RecipientOutcome

SPAM = b"X-SES-Spam-Verdict: FAIL\r\nFrom: ann@other.test\r\nSubject: x\r\n\r\nhi\r\n"


def organization(name: str, domains: tuple[str, ...], *rules: dict[str, Any]) -> Organization:
    return Organization(
        f"m-{name * 32}", "us-east-1", "123456789012", frozenset(domains), RuleSet.from_json({"rules": list(rules)})
    )


def rule(action: str, destination: str, direction: str = "inbound", **more: Any) -> dict[str, Any]:
    return {
        "name": f"{action} {destination}",
        "direction": direction,
        "action": action,
        "senders": ["*"],
        "destinations": [destination],
        **more,
    }


def outcomes(
    state: Path, organizations: list[Organization], direction: FlowDirection, mail_from: str, *recipients: str
) -> list[RecipientOutcome]:
    """Send one message through an engine that has no functions."""
    deployed = Deployed({one.organization_id: one for one in organizations})

    async def run() -> list[RecipientOutcome]:
        async with engine_without_functions(state, deployed) as running:
            message = await running.engine.accept(Submission("smtp", direction, mail_from, recipients, SPAM))
            await running.engine.wait()
            return [one for flow in running.store.flows(message) for one in running.store.outcomes(flow.id)]

    return asyncio.run(run())


@pytest.mark.fact("F2", "F8")
def test_every_inbound_action(tmp_path: Path) -> None:
    actions = ("DROP", "BOUNCE", "MOVE_TO_JUNK", "DEFAULT", "BYPASS_SPAM_CHECK")
    rules = [rule(action, f"{action.lower()}@example.com") for action in actions]
    found = outcomes(
        tmp_path,
        [organization("1", ("example.com",), *rules)],
        FlowDirection.INBOUND,
        "ann@other.test",
        *(f"{action.lower()}@example.com" for action in actions),
        "nobody-cares@example.com",
    )
    assert [one.action for one in found] == [*actions, "DEFAULT"]
    places = [str(one.place).split("/") for one in found]
    assert (places[0], places[1][0]) == (["None"], "outbound")
    # The spam check decides where nothing else does.
    assert [place[2] for place in places[2:]] == ["junk", "junk", "inbox", "junk"]


@pytest.mark.fact("F3")
def test_every_outbound_action(tmp_path: Path) -> None:
    rules = [
        rule("DROP", "drop@other.test", "outbound"),
        rule("BOUNCE", "bounce@other.test", "outbound"),
        rule("ROUTE_TO_SMTP_GATEWAY", "gateway@other.test", "outbound", smtpGateway="archive"),
    ]
    to = ("drop@other.test", "bounce@other.test", "gateway@other.test", "else@other.test")
    found = outcomes(
        tmp_path, [organization("1", ("example.com",), *rules)], FlowDirection.OUTBOUND, "ann@example.com", *to
    )
    assert [one.action for one in found] == ["DROP", "BOUNCE", "ROUTE_TO_SMTP_GATEWAY", "DEFAULT"]
    assert found[1].place is not None
    assert found[1].place.startswith("mailboxes/ann@example.com/inbox/new/")
    envelopes = [json.loads(path.read_text()) for path in (tmp_path / "outbound").glob("*.json")]
    assert {one["smtpGateway"]: one["recipients"] for one in envelopes} == {
        "archive": ["gateway@other.test"],
        None: ["else@other.test"],
    }


@pytest.mark.fact("E4")
def test_each_recipient_is_its_own_organizations(tmp_path: Path) -> None:
    organizations = [
        organization("1", ("one.example",), rule("DROP", "*")),
        organization("2", ("two.example",), rule("MOVE_TO_JUNK", "*")),
    ]
    found = outcomes(tmp_path, organizations, FlowDirection.INBOUND, "", "a@one.example", "b@TWO.example")
    assert {one.recipient: one.action for one in found} == {"a@one.example": "DROP", "b@TWO.example": "MOVE_TO_JUNK"}
    with pytest.raises(RefusedError, match="no deployed organization has this domain"):
        outcomes(tmp_path, organizations, FlowDirection.INBOUND, "", "c@three.example")


def test_one_mailbox_named_twice_gets_one_copy(tmp_path: Path) -> None:
    mine = [organization("1", ("example.com",))]
    found = outcomes(tmp_path, mine, FlowDirection.INBOUND, "", "Bob@example.com", "bob@Example.com")
    assert len(found) == 1
