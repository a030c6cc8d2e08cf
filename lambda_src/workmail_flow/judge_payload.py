"""What WorkMail does with the bytes that a synchronous function returned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from workmail_flow.assumptions import MAX_REPLY_NESTING, NOT_STRICT_JSON_FAILS
from workmail_flow.judge_reply import Finding, Verdict, judge_reply, size_fault
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def judge_payload(
    payload: bytes,
    *,
    direction: FlowDirection,
    recipients: Sequence[str],
    fallback: RuleAction = RuleAction.DEFAULT,
    organization_domains: Collection[str] | None = None,
) -> tuple[object, Verdict]:
    """Judge a reply as it was sent: its size, its JSON (R8), and then what it says, as `judge_reply` does.

    Never raises, and takes time that grows with the number of bytes, whatever they are.

    Args:
        payload: The bytes that the function returned.
        direction: As for `judge_reply`.
        recipients: As for `judge_reply`.
        fallback: As for `judge_reply`.
        organization_domains: As for `judge_reply`.

    Returns:
        The decoded reply, None if it cannot be decoded; and the verdict.
    """
    reply, fault = decode_payload(payload)
    if fault:
        return None, Verdict((), (fault,), ())
    return reply, judge_reply(
        reply,
        direction=direction,
        recipients=recipients,
        fallback=fallback,
        organization_domains=organization_domains,
    )


def decode_payload(payload: bytes) -> tuple[object, Finding | None]:
    """Return the JSON value that a function returned, or why they are not JSON (R8). Never raises.

    The value can be encoded again, as JSON in UTF-8, without an error.
    """
    if fault := size_fault(len(payload)):
        return None, fault
    try:
        value = json.loads(
            payload.decode("utf-8"),
            parse_int=_int,
            parse_float=_float,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
        _check(value)
    except UnicodeDecodeError as error:
        return None, _not_json(f"byte {error.start:,} is not UTF-8")
    except json.JSONDecodeError as error:
        return None, _not_json(f"{error.msg} (character {error.pos:,})")
    except RecursionError:
        return None, _not_json(_TOO_DEEP)
    except _NotStrictError as error:
        return None, _not_json(str(error))
    return value, None


class _NotStrictError(Exception):
    """What parsers disagree on."""


_TOO_DEEP = f"its objects and lists are nested more than {MAX_REPLY_NESTING} deep"


def _not_json(why: str) -> Finding:
    return Finding("not-json", "$", f"the reply is not JSON: {why}; {NOT_STRICT_JSON_FAILS}")


def _refuse_constant(word: str) -> object:
    message = f"{word} is not a JSON value"
    raise _NotStrictError(message)


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        message = "a number is too large"
        raise _NotStrictError(message)
    return number


def _int(digits: str) -> int:
    _float(digits)  # Python's own limit on digits may be set lower or off, and converting takes quadratic time
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        message = "an object has one name twice"
        raise _NotStrictError(message)
    return found


def _check(value: object) -> None:
    """Refuse deep nesting and lone surrogates; level by level, so that no depth exhausts the stack."""
    level, left = [value], MAX_REPLY_NESTING
    while level:
        inner: list[object] = []
        for found in level:
            if isinstance(found, dict | list):
                if not left:
                    raise _NotStrictError(_TOO_DEEP)
                inner += found
                if isinstance(found, dict):
                    inner += found.values()
            elif isinstance(found, str) and not _is_encodable(found):
                message = "a string holds a lone surrogate"
                raise _NotStrictError(message)
        level, left = inner, left - 1


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
