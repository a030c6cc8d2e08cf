"""The saved queries, run over a log by a reader of the language that is not AWS's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.constructs.insights import run
from workmail_constructs.watching.email_event_queries import (
    EMAIL_EVENT_QUERIES,
    WHAT_A_RULE_DID,
    WHAT_FAILED_DMARC,
    WHY_NOT_DELIVERED,
)

A, B = "Anna@Partner.example", "bob@example.com"
FIELDS = {
    "traceId",
    *(
        f"event.{name}"
        for name in (
            *("eventName", "from", "sender", "subject", "messageId", "spamVerdict", "dkimVerdict", "dmarcVerdict"),
            *("dmarcPolicy", "spfVerdict", "messageTimestamp", "recipient", "recipients.0", "folder", "policy"),
            *("bouncedRecipient", "ruleName", "ruleType", "ruleActions.0.action", "ruleActions.0.recipients.0"),
        )
    ),
}
"""What entries have (W3), flattened as Insights does it."""


def entry(trace_id: str, name: str, **fields: Any) -> str:
    return json.dumps({"traceId": trace_id, "event": {"eventName": name, **fields}})


def received(trace_id: str, from_: str = A, recipients: tuple[str, ...] = (B,), **fields: Any) -> str:
    verdicts = {"spamVerdict": "PASS", "dmarcVerdict": "PASS"}
    return entry(
        trace_id,
        "ORGANIZATION_EMAIL_RECEIVED",
        **{"from": from_, "recipients": [*recipients], "subject": f"Subject of {trace_id}", **verdicts, **fields},
    )


def applied(trace_id: str, rule: str, action: str, rule_type: str = "INBOUND_RULE") -> str:
    actions = [{"action": action, "recipients": [B]}]
    return entry(trace_id, "RULE_APPLIED", ruleName=rule, ruleType=rule_type, ruleActions=actions)


LOG = list(
    enumerate(
        (
            received("dropped"),
            applied("dropped", "Spam", "DROP"),
            received("delivered"),
            entry("delivered", "MAILBOX_EMAIL_DELIVERED", recipient=B, folder="JUNK_EMAIL"),
            received("bounced"),
            entry("bounced", "INCOMING_EMAIL_BOUNCED", bouncedRecipient=B),
            received("of another", from_="carl@partner.example"),
            received("to another", recipients=("dora@example.com",)),
            received("forged", dmarcVerdict="FAIL", dmarcPolicy="reject"),
            entry("forged", "DMARC_POLICY_APPLIED", **{"from": A, "recipients": [B], "policy": "reject"}),
            applied("other", "Spam", "DEFAULT"),
            applied("third", "Spam", "DROP"),
            applied("mailbox", "Spam", "MOVE", "MAILBOX_RULE"),
            applied("else", "Disclaimer", "DEFAULT"),
        ),
        start=1,
    )
)


def answer(query: str, **filled: str) -> list[dict[str, Any]]:
    for placeholder, text in filled.items():
        assert query.count(f'"{placeholder.replace("_", " ")}"') or f'"{placeholder}"' in query
        query = query.replace(f'"{placeholder.replace("_", " ")}"', f'"{text}"')
    return run(query, LOG, known=FIELDS)


@pytest.mark.fact("W3", "W4")
def test_why_b_did_not_get_mail_of_a() -> None:
    query = WHY_NOT_DELIVERED.replace("a@example.com", A.lower()).replace("b@example.com", B)
    found = {row["traceId"]: row for row in run(query, LOG, known=FIELDS)}

    assert list(found) == ["forged", "bounced", "delivered", "dropped"]
    assert (found["dropped"]["rule"], found["dropped"]["action"], found["dropped"]["delivered"]) == ("Spam", "DROP", 0)
    assert (found["delivered"]["delivered"], found["delivered"]["folder"]) == (1, "JUNK_EMAIL")
    assert (found["bounced"]["bounced"], found["bounced"]["delivered"]) == (1, 0)
    assert (found["forged"]["dmarc"], found["forged"]["dmarc_policy_applied"]) == ("FAIL", "reject")
    assert found["dropped"]["subject"] == "Subject of dropped"


@pytest.mark.fact("W4")
def test_what_a_rule_did() -> None:
    found = answer(WHAT_A_RULE_DID, RULE_NAME="Spam")

    action = "event.ruleActions.0.action"
    assert [(row["event.ruleType"], row[action], row["times"], row["last_seen"]) for row in found] == [
        ("INBOUND_RULE", "DROP", 2, 12),
        ("INBOUND_RULE", "DEFAULT", 1, 11),
    ]


@pytest.mark.fact("W3")
def test_which_mail_failed_dmarc() -> None:
    (row,) = answer(WHAT_FAILED_DMARC)

    assert (row["traceId"], row["event.from"], row["event.recipients.0"]) == ("forged", A, B)
    assert row["event.dmarcPolicy"] == "reject"


@pytest.mark.parametrize("query", EMAIL_EVENT_QUERIES.values())
def test_a_query_says_what_to_put_in(query: str) -> None:
    first, *_ = query.splitlines()

    assert first.startswith("# ")
    assert "choose the time of the search" in query.lower()
    assert len(query) <= 10_000  # CloudWatch's limit
    assert query.isascii()


@pytest.mark.parametrize(
    "wrong",
    [
        "fields event.unknown",
        'filter traceId == "a"',
        "stats avg(traceId) as x",
        "stats max(traceId) as x by event.nobody",
        "stats count(*) as x | sort traceId desc",
        "search traceId",
        'filter traceId = "a" or traceId = "b"',
        "fields @timestamp,",
    ],
)
def test_the_reader_refuses_what_is_not_of_the_language_or_of_the_log(wrong: str) -> None:
    with pytest.raises((AssertionError, IndexError)):
        run(wrong, LOG, known=FIELDS)
