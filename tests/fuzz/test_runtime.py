"""Any JSON in: an event or an EventError. Any calls on a reply: a ReplyError or a reply that WorkMail takes."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from workmail_flow.judge_reply import judge_reply
from workmail_flow.vocabulary import FlowDirection
from workmail_runtime import (
    AsynchronousEvent,
    Event,
    EventError,
    InboundEvent,
    InboundReply,
    OutboundEvent,
    Reply,
    ReplyError,
    SynchronousEvent,
    asynchronous,
    synchronous,
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
any_json = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def _either(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return right | right | right | any_json


address = st.fixed_dictionaries({}, optional={"address": _either(st.emails())})
nearly_events = st.fixed_dictionaries(
    {
        "envelope": _either(
            st.fixed_dictionaries({"mailFrom": _either(address), "recipients": _either(st.lists(_either(address)))})
        )
    },
    optional={
        "summaryVersion": _either(st.text()),
        "sender": _either(address),
        "subject": _either(st.text()),
        "messageId": _either(st.from_regex(r"[a-z0-9-]{1,120}", fullmatch=True)),
        "invocationId": _either(st.from_regex(r"[0-9a-f]{32}", fullmatch=True)),
        "flowDirection": _either(st.sampled_from(FlowDirection)),
        "truncated": _either(st.booleans()),
        "extra": any_json,
    },
)


@given(any_json | nearly_events)
def test_any_json_is_an_event_or_an_event_error(raw: Any) -> None:
    for kind in (SynchronousEvent, AsynchronousEvent, InboundEvent, OutboundEvent):
        event, problems = _parsed(kind, raw)
        assert (event is None) is bool(problems)
        assert event is None or event.raw is raw
        assert "@" not in repr(event)
        assert all(problem.startswith("$") for problem in problems)
        assert len(set(problems)) == len(problems)


def _parsed(kind: type[Event], raw: Any) -> tuple[Event | None, tuple[str, ...]]:
    try:
        return kind.parse(raw), ()
    except EventError as error:
        return None, error.problems


@given(any_json | nearly_events)
def test_handlers_raise_nothing_else_either(raw: Any) -> None:
    answer = synchronous(lambda event: event.reply.default_for_all())
    ignore = asynchronous(lambda _: None)
    for handler in (answer, ignore):
        with contextlib.suppress(EventError):
            handler(raw)


@given(any_json)
def test_whatever_a_handler_returns_is_an_answer_or_a_reply_error(returned: Any) -> None:
    raw = {"envelope": {"mailFrom": {"address": ""}, "recipients": [{"address": "a@b.example"}]}}
    with contextlib.suppress(ReplyError):
        assert synchronous(lambda _: returned)(raw) is returned


known = ["ann@corp.example", "Bob@Corp.Example", "carol@corp.example"]
named = st.lists(st.sampled_from(known) | st.emails() | st.text(max_size=8), max_size=4)
messages = st.text(max_size=8)


def _calls(
    name: str, arguments: list[st.SearchStrategy[Any]], **keywords: st.SearchStrategy[Any]
) -> st.SearchStrategy[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    return st.tuples(st.just(name), st.tuples(*arguments), st.fixed_dictionaries(keywords))


calls = st.one_of(
    *(_calls(name, [named]) for name in ("drop", "default", "move_to_junk", "bypass_spam_check", "add_bcc")),
    *(_calls(f"{name}_for_all", []) for name in ("drop", "default", "move_to_junk", "bypass_spam_check")),
    _calls("bounce", [named], message=messages),
    _calls("bounce_for_all", [], message=messages),
)


def _replies(direction: FlowDirection) -> tuple[Reply, ...]:
    raw = {
        "envelope": {"mailFrom": {"address": ""}, "recipients": [{"address": address} for address in known]},
        "flowDirection": direction.value,
    }
    bare = InboundReply() if direction is FlowDirection.INBOUND else Reply(direction)
    return SynchronousEvent.parse(raw).reply, SynchronousEvent.parse({**raw, "truncated": True}).reply, bare


@given(st.sampled_from(FlowDirection), st.integers(0, 2), st.lists(calls, max_size=15))
def test_no_calls_make_a_reply_that_is_refused(
    direction: FlowDirection, start: int, made: list[tuple[str, tuple[Any, ...], dict[str, Any]]]
) -> None:
    reply: Any = _replies(direction)[start]
    for name, arguments, keywords in made:
        with contextlib.suppress(ReplyError):
            reply = getattr(reply, name)(*arguments, **keywords)
    answer = json.loads(json.dumps(reply.to_dict(), ensure_ascii=False).encode())
    verdict = judge_reply(answer, direction=direction, recipients=known, organization_domains=None)
    assert verdict.errors == ()
    assert {finding.code for finding in verdict.findings} <= {"organization-unknown", "added-undelivered"}
