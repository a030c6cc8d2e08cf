"""Limits in a deployed app: real messages, a real table, the directory of the local WorkMail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from workmail_local.testing.workmail_local import WorkMailLocal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_local.testing.workmail_local import SentMessage

pytestmark = pytest.mark.xdist_group("limits-app")

APP = Path(__file__).parent / "limits_app"
OUTSIDER = "carol@example.net"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkMailLocal]:
    # Compressed, so that a retry after a minute comes at once.
    with WorkMailLocal.running(tmp_path_factory.mktemp("limits"), time_scale=60) as running:
        running.set_directory(
            users=[
                {"email": "alice@example.com", "aliases": ["trainee@example.com"]},
                {"email": "bob@example.com"},
                {"email": "dora@example.com"},
            ],
            groups=[
                {"email": "interns@example.com", "members": ["alice@example.com", "juniors@example.com"]},
                {"email": "juniors@example.com", "members": ["dora@example.com"]},
            ],
            domains=["example.com"],
        )
        running.deploy_app(APP)
        yield running


def send(local: WorkMailLocal, sender: str, *recipients: str, body: str = "Hello", **options: Any) -> SentMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, ", ".join(recipients), "Agenda"
    message.set_content(body)
    sent = local.send(message, **options)
    assert sent.succeeded, sent.attempts
    assert not any(name in sent.logs for name in ("alice", "trainee", "bob", "carol", "dora", "4111", "DE89", "Agenda"))
    return sent


def counts(local: WorkMailLocal) -> list[int]:
    """Return how many messages were let through, by address and minute."""
    dynamodb = local.client("dynamodb")
    (table,) = dynamodb.list_tables()["TableNames"]
    (item,) = dynamodb.scan(TableName=table)["Items"]
    return [int(value["N"]) for name, value in item.items() if "." in name and "N" in value]


@pytest.mark.fact("E7")
def test_a_storm_is_limited_and_a_retry_is_counted_once(local: WorkMailLocal) -> None:
    # The step behind the limit fails once: WorkMail comes again with the same invocation.
    local.add_fault("content-not-found", times=1)
    retried = send(local, OUTSIDER, "all@example.com")
    assert len(retried.attempts) == 2
    assert retried.actions == {"all@example.com": "DEFAULT"}
    assert counts(local) == [1]
    with ThreadPoolExecutor(8) as pool:
        sent = list(pool.map(lambda _: send(local, OUTSIDER, "all@example.com", "bob@example.com"), range(16)))
    let_through = [each for each in sent if each.actions["all@example.com"] == "DEFAULT"]
    refused = [each for each in sent if each.actions["all@example.com"] == "BOUNCE"]
    assert len(let_through) + len(refused) == 16
    assert {each.actions["bob@example.com"] for each in sent} == {"DEFAULT"}
    assert {outcome.bounce_message for each in refused for outcome in each.outcomes} >= {
        "Too many messages for this list. Try again in a minute."
    }
    assert refused
    # The storm may go on over a minute's edge.
    assert max(counts(local)) == 3
    assert sum(counts(local)) == 1 + len(let_through)
    assert any('"Limited":1' in each.logs for each in refused)


@pytest.mark.fact("D1", "D2", "R6")
@pytest.mark.parametrize("member", ["alice@example.com", "trainee@example.com", "dora@example.com"])
def test_members_get_no_mail_from_outside_and_a_copy_is_reported(local: WorkMailLocal, member: str) -> None:
    before = len(local.inbox("it@example.com"))
    sent = send(local, OUTSIDER, member, "bob@example.com")
    assert sent.actions == {member: "BOUNCE", "bob@example.com": "DEFAULT", "it@example.com": "DEFAULT"}
    assert len(local.inbox("it@example.com")) == before + 1


def test_members_send_no_mail_outside_and_others_do(local: WorkMailLocal) -> None:
    to_both = [OUTSIDER, "bob@example.com"]
    sent = send(local, "dora@example.com", *to_both, direction="outbound")
    assert sent.actions == {OUTSIDER: "BOUNCE", "bob@example.com": "DEFAULT", "it@example.com": "DEFAULT"}
    sent = send(local, "bob@example.com", *to_both, direction="outbound")
    assert set(sent.actions.values()) == {"DEFAULT"}


def test_a_card_number_does_not_leave(local: WorkMailLocal) -> None:
    sent = send(local, "bob@example.com", OUTSIDER, body="It is 4111-1111 1111 1111.", direction="outbound")
    assert sent.actions == {OUTSIDER: "BOUNCE"}
    assert [outcome.bounce_message for outcome in sent.outcomes] == ["Card numbers do not go by mail."]


@pytest.mark.fact("R6")
@pytest.mark.parametrize("body", ["Pay to DE89 3704 0044 0532 0130 00.", "This is about PROJECT X!"])
def test_other_sensitive_mail_is_tagged_and_reviewed(local: WorkMailLocal, body: str) -> None:
    sent = send(local, "bob@example.com", OUTSIDER, body=body, direction="outbound")
    assert sent.actions == {OUTSIDER: "DEFAULT", "security@example.com": "DEFAULT"}
    assert sent.message["Subject"] == "[SENSITIVE] Agenda"
    sent = send(local, "bob@example.com", OUTSIDER, direction="outbound")
    assert sent.message["Subject"] == "Agenda"
