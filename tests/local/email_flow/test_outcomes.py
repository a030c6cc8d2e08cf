"""Whole messages through deployed rules: what each recipient gets, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from workmail_local.server.client import ApiFailedError

if TYPE_CHECKING:
    from workmail_local.testing.workmail_local import SentMessage, WorkMailLocal

pytestmark = pytest.mark.xdist_group("workmail-local")

HANDLERS = Path(__file__).parents[1] / "handlers"
TO = ("bob@example.com", "eve@example.com")


def message(subject: str = "hello", sender: str = "ann@other.test") -> bytes:
    return (
        f"From: {sender}\r\nTo: bob@example.com\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n"
        f"Message-ID: <1@other.test>\r\nSubject: {subject}\r\n\r\nhi\r\n"
    ).encode()


def actions(*entries: tuple[str, tuple[str, ...] | None]) -> str:
    """Return a reply as a subject: the test's handler answers it."""
    return json.dumps(
        {
            "actions": [
                {"action": {"type": kind}, **({"allRecipients": True} if who is None else {"recipients": who})}
                for kind, who in entries
            ]
        }
    )


def put_in_place(local: WorkMailLocal, **rule: Any) -> None:
    local.deploy_handler(HANDLERS / "replies", **rule)


def send(local: WorkMailLocal, subject: str = "hello", rcpt: tuple[str, ...] = TO, **options: Any) -> SentMessage:
    return local.send(message(subject), rcpt=rcpt, **options)


@pytest.mark.fact("F8", "R1", "R2", "R5")
def test_each_recipient_gets_its_own_outcome(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local, fallback="MOVE_TO_JUNK")
    three = (*TO, "liz@example.com")
    sent = send(workmail_local, actions(("DEFAULT", three[:1]), ("DROP", three[1:2])), three)
    assert sent.actions == dict(zip(three, ("DEFAULT", "DROP", "MOVE_TO_JUNK"), strict=True))
    assert [len(workmail_local.inbox(one)) for one in three] == [1, 0, 0]
    assert [len(workmail_local.junk(one)) for one in three] == [0, 0, 1]
    assert sent.outcomes[1].place is None
    inbox = sent.outcomes[0].place
    assert inbox is not None
    assert inbox.read_bytes() == message(actions(("DEFAULT", three[:1]), ("DROP", three[1:2])))


@pytest.mark.fact("E1", "E4", "E7", "E8")
def test_one_invocation_has_the_conversations_recipients(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local)
    sent = send(workmail_local)
    (event,) = sent.events
    assert [one["address"] for one in event["envelope"]["recipients"]] == list(TO)
    assert (event["messageId"], event["flowDirection"], event["truncated"]) == (sent.id, "INBOUND", False)
    assert event["invocationId"] in sent.logs


@pytest.mark.fact("E4")
def test_inbound_takes_only_the_organizations_recipients(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local)
    with pytest.raises(ApiFailedError, match=r"550 5\.7\.1 no deployed organization has this domain"):
        send(workmail_local, rcpt=("bob@elsewhere.test",))


@pytest.mark.fact("R6")
def test_an_added_recipient_gets_the_message_as_bcc(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local)
    sent = send(workmail_local, actions(("DEFAULT", ("bob@example.com", "new@example.com"))), TO[:1])
    assert [(one.recipient, one.added) for one in sent.outcomes] == [(TO[0], False), ("new@example.com", True)]
    (added,) = workmail_local.inbox("new@example.com")
    assert (added["To"], added["Cc"]) == ("bob@example.com", None)


@pytest.mark.fact("R8", "T3")
@pytest.mark.parametrize(
    ("subject", "outcome"),
    [
        ("raise", "function-error"),
        ("exit", "crashed"),
        ("null", "invalid-reply"),
        ("large", "invalid-reply"),
        ('{"actions": [{"action": {"type": "ROUTE"}}]}', "invalid-reply"),
    ],
)
def test_a_failed_invocation_without_rule_timeout_is_the_fallback_at_once(
    workmail_local: WorkMailLocal, subject: str, outcome: str
) -> None:
    put_in_place(workmail_local, fallback="MOVE_TO_JUNK")
    sent = send(workmail_local, subject)
    assert [attempt["outcome"] for attempt in sent.attempts] == [outcome]
    assert set(sent.actions.values()) == {"MOVE_TO_JUNK"}
    assert not sent.succeeded


@pytest.mark.fact("T2", "E7")
def test_a_failed_invocation_is_retried_until_it_succeeds_with_one_invocation_id(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local, rule_timeout_minutes=240)
    workmail_local.add_fault("duplicate-invocation", after=3)
    workmail_local.add_fault("function-error", times=3)
    sent = send(workmail_local)
    assert [attempt["outcome"] for attempt in sent.attempts] == [*["function-error"] * 3, "replied"]
    assert (sent.succeeded, set(sent.actions.values())) == (True, {"DEFAULT"})
    waits = [
        later["startedAt"] > earlier["endedAt"]
        for earlier, later in zip(sent.attempts, sent.attempts[1:], strict=False)
    ]
    assert all(waits)


@pytest.mark.fact("T2")
def test_when_the_rule_timeout_is_over_all_recipients_get_the_fallback(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local, rule_timeout_minutes=30, fallback="DROP")
    workmail_local.add_fault("throttle")
    sent = send(workmail_local)
    assert set(sent.actions.values()) == {"DROP"}
    assert len(sent.attempts) > 3
    assert {attempt["outcome"] for attempt in sent.attempts} == {"throttled"}
    assert "(T2)" in sent.outcomes[0].why


@pytest.mark.fact("T1")
def test_workmail_waits_15_seconds_for_a_synchronous_function(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local, timeout_s=30)
    sent = send(workmail_local, "sleep 20")
    (attempt,) = sent.attempts
    assert attempt["outcome"] == "waited-out"
    assert set(sent.actions.values()) == {"DEFAULT"}


@pytest.mark.fact("R7")
def test_past_ten_actions_the_fallback_counts(workmail_local: WorkMailLocal) -> None:
    everyone = tuple(f"user{number}@example.com" for number in range(11))
    entries = [
        {"action": {"type": "BOUNCE", "parameters": {"bounceMessage": str(number)}}, "recipients": [one]}
        for number, one in enumerate(everyone)
    ]
    put_in_place(workmail_local, fallback="DROP", environment={"REPLY": json.dumps({"actions": entries})})
    sent = send(workmail_local, "environment", everyone)
    assert list(sent.actions.values()) == [*["BOUNCE"] * 10, "DROP"]


@pytest.mark.fact("R12")
def test_a_string_where_a_boolean_belongs_is_understood_and_reported(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local)
    sent = send(workmail_local, '{"actions": [{"allRecipients": "true", "action": {"type": "DROP"}}]}')
    assert set(sent.actions.values()) == {"DROP"}
    assert "$.actions[0].allRecipients" in sent.attempts[0]["findings"][0]


@pytest.mark.fact("L4")
def test_without_permission_the_invocation_fails(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local, permitted=False)
    (attempt,) = send(workmail_local).attempts
    assert (attempt["outcome"], "WorkMail may not invoke" in attempt["error"]) == ("not-permitted", True)


def test_what_cannot_run_here_is_held_until_it_can_and_has_no_made_up_outcome(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local, runtime="nodejs22.x")
    sent = send(workmail_local)
    assert (sent.detail["state"], sent.succeeded, set(sent.actions.values())) == ("held", False, {None})
    assert "its runtime is nodejs22.x; only Python functions" in sent.outcomes[0].why
    assert sent.attempts == ()
    put_in_place(workmail_local)
    assert set(workmail_local.wait(sent.id).actions.values()) == {"DEFAULT"}


@pytest.mark.fact("T4", "R10")
def test_an_asynchronous_function_never_touches_delivery(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local, synchronous=False, destinations=("*",))
    sent = send(workmail_local, actions(("DROP", None)))
    assert set(sent.actions.values()) == {"DEFAULT"}
    assert sent.succeeded


@pytest.mark.fact("T4", "E7")
def test_an_asynchronous_failure_is_retried_twice_and_goes_to_the_queue(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local, synchronous=False)
    sqs = workmail_local.client("sqs")
    url = sqs.get_queue_url(QueueName="rule-failures")["QueueUrl"]
    sqs.purge_queue(QueueUrl=url)  # other tests' functions fail too
    sent = send(workmail_local, "raise")
    assert [attempt["outcome"] for attempt in sent.attempts] == ["function-error"] * 3
    assert set(sent.actions.values()) == {"DEFAULT"}
    (queued,) = sqs.receive_message(QueueUrl=url)["Messages"]
    sqs.close()
    record = json.loads(queued["Body"])
    assert record["requestPayload"] == sent.events[0]
    assert (record["requestContext"]["condition"], record["requestContext"]["approximateInvokeCount"]) == (
        "RetriesExhausted",
        3,
    )
    assert record["responsePayload"] == {"errorType": "ValueError", "errorMessage": "on purpose"}


@pytest.mark.fact("R3")
def test_a_bounce_is_a_real_notification_with_the_handlers_words(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local)
    reply = {"action": {"type": "BOUNCE", "parameters": {"bounceMessage": "Nicht heute, später"}}}
    sent = send(workmail_local, json.dumps({"actions": [reply | {"allRecipients": True}]}))
    (bounce,) = workmail_local.outbound()
    assert (bounce["To"], bounce.get_content_type(), bounce.get_param("report-type")) == (
        "ann@other.test",
        "multipart/report",
        "delivery-status",
    )
    text, status, headers = bounce.iter_parts()
    assert "Nicht heute, später" in text.get_content()
    per_message, *per_recipient = status.get_payload()
    assert per_message["Reporting-MTA"] == "dns; example.com"
    assert [one["Final-Recipient"] for one in per_recipient] == [f"rfc822; {one}" for one in TO]
    assert {one["Action"] for one in per_recipient} == {"failed"}
    assert "Message-ID: <1@other.test>" in headers.get_content()
    envelope = json.loads((workmail_local.state / "outbound" / f"{sent.id}.bounce-1.json").read_text())
    assert envelope["mailFrom"] == ""


@pytest.mark.fact("R3")
def test_a_bounce_message_adds_no_field_to_the_notification(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local)
    reply = {"type": "BOUNCE", "parameters": {"bounceMessage": "no\r\nAction: relayed\r\n\r\n\x00\x1b[31mred"}}
    send(workmail_local, json.dumps({"actions": [{"action": reply, "allRecipients": True}]}), rcpt=TO[:1])
    (bounce,) = workmail_local.outbound()
    (_, recipient) = list(bounce.iter_parts())[1].get_payload()
    assert recipient["Action"] == "failed"
    assert recipient["Diagnostic-Code"] == "smtp; 550 5.7.1 no Action: relayed [31mred"


def test_a_notification_says_where_it_is_not_ascii(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local)
    subject = actions(("BOUNCE", None))
    workmail_local.send(
        message(subject).replace(b"\r\n\r\n", "\r\nX-Note: später\r\n\r\n".encode()), rcpt=["bøb@example.com"]
    )
    (bounce,) = workmail_local.outbound()
    _, status, headers = bounce.iter_parts()
    assert (status.get_content_type(), status["Content-Transfer-Encoding"]) == (
        "message/global-delivery-status",
        "8bit",
    )
    assert headers["Content-Transfer-Encoding"] == "8bit"


def test_a_bounce_is_never_bounced(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local)
    sent = send(workmail_local, actions(("BOUNCE", None)), mail_from="")
    assert (sent.outcomes[0].action, sent.outcomes[0].place, workmail_local.outbound()) == ("BOUNCE", None, [])


@pytest.mark.fact("F2")
def test_spam_goes_to_junk_unless_the_check_is_bypassed(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local)
    spam = b"X-SES-Spam-Verdict: FAIL\r\n"
    workmail_local.send(spam + message(actions(("DEFAULT", None))), rcpt=TO[:1])
    workmail_local.send(spam + message(actions(("BYPASS_SPAM_CHECK", None))), rcpt=TO[:1])
    assert (len(workmail_local.junk(TO[0])), len(workmail_local.inbox(TO[0]))) == (1, 1)


@pytest.mark.fact("F15")
def test_what_ses_blocks_reaches_no_rule(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local)
    with pytest.raises(ApiFailedError, match=r"554 5\.7\.1 Amazon SES blocks"):
        workmail_local.send(b"X-SES-Virus-Verdict: FAIL\r\n" + message(), rcpt=TO)


@pytest.mark.fact("F16")
@pytest.mark.parametrize(
    ("content", "rcpt", "refusal"),
    [
        (message(), tuple(f"u{n}@example.com" for n in range(501)), "501 recipients, 500 are allowed"),
        (message() + b"x" * (40 * 1024 * 1024), TO, "as MIME, 41,943,040 are allowed"),
        (message() + b"x" * (30 * 1024 * 1024), TO, "bytes of content, 30,408,704 are allowed"),
        (message() + b"Content-Disposition: attachment\r\n" * 501, TO, "more than 500 attachments"),
    ],
    ids=["recipients", "MIME", "content", "attachments"],
)
def test_limits_of_a_message(
    workmail_local: WorkMailLocal, content: bytes, rcpt: tuple[str, ...], refusal: str
) -> None:
    with pytest.raises(ApiFailedError, match=refusal):
        workmail_local.send(content, rcpt=rcpt)


@pytest.mark.fact("F3", "R2")
def test_outbound_mail_leaves_through_the_spool_and_bounces_to_the_user(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local, direction="OUTBOUND")
    to = ("x@elsewhere.test", "y@elsewhere.test", "bob@example.com")
    reply = actions(("DEFAULT", (to[0], to[2])), ("BOUNCE", (to[1],)))
    sent = workmail_local.send(
        message(reply, "ann@example.com"), direction="outbound", mail_from="ann@example.com", rcpt=to
    )
    assert [one.action for one in sent.outcomes] == ["DEFAULT", "BOUNCE", "DEFAULT"]
    assert len(workmail_local.outbound()) == 1
    envelope = json.loads((workmail_local.state / "outbound" / f"{sent.id}.json").read_text())
    assert envelope == {"mailFrom": "ann@example.com", "recipients": [to[0]], "smtpGateway": None}
    assert len(workmail_local.inbox("bob@example.com")) == 1
    (bounce,) = workmail_local.inbox("ann@example.com")
    assert bounce.get_content_type() == "multipart/report"


@pytest.mark.fact("F7", "F9", "F11")
def test_the_most_specific_rule_decides_and_splits_the_message(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local, name="everybody")
    put_in_place(workmail_local, name="ann", senders=("ann@other.test",), fallback="DROP")
    assert {one.rule for one in send(workmail_local).outcomes} == {"ann"}
    by_sender_field = b"Sender: list@third.test\r\n" + message()
    assert {one.rule for one in workmail_local.send(by_sender_field, rcpt=TO).outcomes} == {"everybody"}


@pytest.mark.fact("C1", "C4", "C5")
def test_an_update_by_a_synchronous_function_is_what_is_delivered(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "content")
    sent = workmail_local.send(message(), rcpt=TO)
    assert sent.message["Subject"] == "[edited] hello"
    assert [one["Subject"] for one in workmail_local.inbox(TO[1])] == ["[edited] hello"]
    assert workmail_local.daemon.client.content(sent.id, version="original") == message()


@pytest.mark.fact("C4")
def test_an_update_by_an_asynchronous_function_shows_only_to_get(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "content", synchronous=False)
    sent = workmail_local.send(message(), rcpt=TO[:1])
    assert workmail_local.inbox(TO[0])[0]["Subject"] == "hello"
    assert b"[edited]" in workmail_local.daemon.client.content(sent.id, version="updated")


@pytest.mark.fact("C4", "E7")
def test_a_retry_reads_the_already_updated_content(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "content")
    workmail_local.add_fault("duplicate-invocation")
    sent = workmail_local.send(message(), rcpt=TO)
    assert sent.message["Subject"] == "[edited] [edited] hello"


@pytest.mark.fact("C3")
@pytest.mark.parametrize(("access", "works"), [("none", False), ("read", False), ("update", True)])
def test_content_takes_the_rights_of_the_functions_role(
    workmail_local: WorkMailLocal, access: str, works: bool
) -> None:
    environment = {"WORKMAIL_MESSAGE_BUCKET": "workmail-updates-rule"}
    workmail_local.deploy_handler(HANDLERS / "content", content_access=access, environment=environment)
    sent = workmail_local.send(message("raise if refused"), rcpt=TO)
    denied = "is not authorized to perform workmailmessageflow:" in str(sent.attempts[0]["error"])
    assert (sent.succeeded, denied) == (works, not works)


@pytest.mark.fact("C5", "C7", "C8", "C9", "C2")
@pytest.mark.parametrize(
    ("faults", "subject", "code"),
    [
        (["frozen"], "x", "MessageFrozen"),
        (["rejected"], "x", "MessageRejected"),
        (["s3-refused"], "x", "InvalidContentLocation"),
        ([], "break", "MessageRejected header Subject may appear once and appears 2 times"),
    ],
)
def test_a_refused_update_leaves_the_message_as_it_came(
    workmail_local: WorkMailLocal, faults: list[str], subject: str, code: str
) -> None:
    workmail_local.deploy_handler(HANDLERS / "content")
    for fault in faults:
        workmail_local.add_fault(fault)
    sent = workmail_local.send(message(subject), rcpt=TO)
    assert f"put {code}" in sent.logs
    assert (sent.succeeded, sent.content) == (True, message(subject))


@pytest.mark.fact("C2")
def test_content_that_is_not_found_fails_the_handler_that_does_not_expect_it(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "content")
    workmail_local.add_fault("content-not-found", messages=1)
    assert "ResourceNotFoundException" in workmail_local.send(message(), rcpt=TO).attempts[0]["error"]
    assert workmail_local.send(message(), rcpt=TO).succeeded


def test_slow_content_makes_the_function_wait(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "content")
    workmail_local.add_fault("slow-content", seconds=0.5, times=1)
    (attempt,) = workmail_local.send(message(), rcpt=TO).attempts
    assert (attempt["outcome"], attempt["durationS"] >= 0.5) == ("replied", True)


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("function-error", "function-error"),
        ("timeout", "waited-out"),
        ("crash", "crashed"),
        ("malformed-reply", "invalid-reply"),
        ("oversized-reply", "invalid-reply"),
        ("throttle", "throttled"),
        ("permission-removed", "not-permitted"),
    ],
)
def test_each_invocation_fault_strikes_the_rule_it_names(
    workmail_local: WorkMailLocal, fault: str, outcome: str
) -> None:
    put_in_place(workmail_local)
    workmail_local.add_fault(fault, rule="another")
    assert send(workmail_local).succeeded
    workmail_local.add_fault(fault, rule="rule", times=1)
    (attempt,) = send(workmail_local).attempts
    assert (attempt["outcome"], attempt["fault"]) == (outcome, fault)


def test_a_fault_that_is_none_names_those_there_are(workmail_local: WorkMailLocal) -> None:
    with pytest.raises(ApiFailedError, match=r"fault: found 'rain'; allowed are function-error, timeout"):
        workmail_local.add_fault("rain")


@pytest.mark.fact("F14")
def test_the_consoles_test_answers_for_one_sender_and_one_recipient(workmail_local: WorkMailLocal) -> None:
    put_in_place(workmail_local)
    asked = {"direction": "inbound", "sender": "ann@other.test", "recipient": "bob@example.com"}
    answer = workmail_local.daemon.client.post("/v1/rules/test", asked)
    assert (answer["rule"], answer["action"]) == ("rule", "RUN_LAMBDA")


def test_without_rules_mail_is_delivered(workmail_local: WorkMailLocal) -> None:
    sent = send(workmail_local, rcpt=("anybody@anywhere.test",))
    assert [(one.rule, one.action) for one in sent.outcomes] == [(None, "DEFAULT")]


def test_replay_goes_through_the_rules_of_now(workmail_local: WorkMailLocal) -> None:
    first = send(workmail_local)
    put_in_place(workmail_local)
    again = workmail_local.wait(workmail_local.daemon.client.post(f"/v1/messages/{first.id}/replay")["id"])
    assert ({one.rule for one in first.outcomes}, {one.rule for one in again.outcomes}) == ({None}, {"rule"})
    assert again.content == first.content
