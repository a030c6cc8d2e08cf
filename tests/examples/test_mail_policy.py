"""The example of a mail policy: what each of its steps does to real messages."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.constructs.steps.installed_wheel import offer_installed
from tests.examples.own_steps import EXAMPLES
from workmail_local.testing.workmail_local import WorkMailLocal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_local.testing.workmail_local import SentMessage

pytestmark = pytest.mark.xdist_group("example-mail-policy")

APP = EXAMPLES / "mail_policy"
INBOUND = APP / "messages" / "inbound.eml"
PROGRAM = APP / "messages" / "program.eml"
CARD = APP / "messages" / "card.eml"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkMailLocal]:
    folder = tmp_path_factory.mktemp("mail_policy")
    with pytest.MonkeyPatch.context() as patch:
        offer_installed("puremagic", folder / "wheels", patch)
        with WorkMailLocal.running(folder / "state") as running:
            running.deploy_app(APP)
            yield running


def saved(local: WorkMailLocal, sent: SentMessage) -> list[bytes]:
    """Return what the archive has of a message."""
    s3 = local.client("s3")
    (bucket,) = [each["Name"] for each in s3.list_buckets()["Buckets"] if "archive" in each["Name"]]
    (event,) = sent.events
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    return [
        s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        for key in keys
        if key.endswith(".eml") and event["messageId"] in key
    ]


def as_sent(raw: bytes) -> bytes:
    """Return a message as SMTP carries it."""
    return raw.replace(b"\n", b"\r\n")


def text_of(sent: SentMessage) -> str:
    body = sent.message.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert isinstance(text, str)
    return text


def test_mail_from_outside_is_saved_as_it_came_and_marked(local: WorkMailLocal) -> None:
    sent = local.send(INBOUND)

    assert sent.succeeded, sent.logs
    assert sent.actions == {"alice@example.com": "DEFAULT"}
    assert sent.message["Subject"] == "[EXT] Agenda for Thursday"
    assert text_of(sent).startswith("This message comes from outside.")
    assert saved(local, sent) == [as_sent(INBOUND.read_bytes())]


def test_mail_from_inside_is_not_marked(local: WorkMailLocal) -> None:
    sent = local.send(INBOUND.read_bytes().replace(b"carol@example.net", b"bob@example.com"))

    assert sent.message["Subject"] == "Agenda for Thursday"
    assert "outside" not in text_of(sent)


def test_blocked_senders_go_to_junk_marked_as_well(local: WorkMailLocal) -> None:
    sent = local.send(INBOUND.read_bytes().replace(b"carol@example.net", b"carol@mail.spam.example"))

    assert sent.actions == {"alice@example.com": "MOVE_TO_JUNK"}
    assert [message["Subject"] for message in local.junk("alice@example.com")] == ["[EXT] Agenda for Thursday"]


@pytest.mark.fact("R3")
def test_a_program_that_pretends_to_be_a_document_is_saved_and_bounced(local: WorkMailLocal) -> None:
    sent = local.send(PROGRAM)

    assert sent.actions == {"alice@example.com": "BOUNCE"}
    assert [outcome.bounce_message for outcome in sent.outcomes] == ["We take no programs by mail."]
    assert saved(local, sent) == [as_sent(PROGRAM.read_bytes())]
    assert {each["step"]: each["result"] for each in sent.attempts[0]["steps"]}["Banner"] == "NOBODY_LEFT"


def test_a_storm_to_all_is_limited_for_all_only(local: WorkMailLocal) -> None:
    to_all = INBOUND.read_bytes().replace(b"To: Alice", b"Cc: all@example.com\nTo: Alice")
    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(lambda _: local.send(to_all), range(10)))

    bounced = [each.actions["all@example.com"] for each in sent].count("BOUNCE")
    assert bounced >= 4  # seven of ten; four if a minute ends between them
    assert {each.actions["alice@example.com"] for each in sent} == {"DEFAULT"}


@pytest.mark.fact("R2")
def test_a_card_number_does_not_leave_but_may_stay_inside(local: WorkMailLocal) -> None:
    raw = CARD.read_bytes().replace(b"To: Carol", b"Cc: bob@example.com\nTo: Carol")

    sent = local.send(raw, direction="outbound")

    assert sent.actions == {"carol@example.net": "BOUNCE", "bob@example.com": "DEFAULT"}
    assert saved(local, sent) == [as_sent(raw)]
    assert "Example Ltd" not in text_of(sent)
    assert "4111" not in sent.logs


def test_mail_to_others_gets_the_footer(local: WorkMailLocal) -> None:
    sent = local.send(CARD.read_bytes().replace(b"4111 1111 1111 1111", b"the new card"), direction="outbound")

    assert sent.succeeded, sent.logs
    assert sent.actions == {"carol@example.net": "DEFAULT"}
    assert text_of(sent).rstrip().endswith("Example Ltd, 1 Example Street")


def test_no_log_has_an_address_or_a_subject(local: WorkMailLocal) -> None:
    logs = local.send(INBOUND).logs + local.send(CARD, direction="outbound").logs

    assert "workmailSteps" in logs
    assert [word for word in ("@", "carol", "alice", "Agenda", "Travel") if word in logs] == []
