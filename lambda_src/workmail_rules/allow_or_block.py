"""`AllowOrBlock`: lists of senders or recipients, packed with the code or in a table that an administrator edits."""

from __future__ import annotations

import random
import time
from functools import cache

from workmail_flow.address import MAX_ADDRESS_CHARACTERS, address_key
from workmail_rules.aws_call import call
from workmail_rules.pattern_set import PatternSet
from workmail_rules.step_errors import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, Final

    from workmail_rules.message import Message

ALLOW: Final = "ALLOW"
BLOCK: Final = "BLOCK"

KEYS_PER_CALL: Final = 100
"""What one BatchGetItem may ask for."""

_FIRST_WAIT_S: Final = 0.05


def run(
    message: Message,
    *,
    whose: str,
    wins: str,
    table: str | None = None,
    allow: Mapping[str, Any] | None = None,
    block: Mapping[str, Any] | None = None,
    blocked: Mapping[str, str] | None,
    allowed: Mapping[str, str] | None,
    otherwise: Mapping[str, str] | None,
) -> None:
    """Decide by the lists that the sender, or each recipient, is on.

    Args:
        message: The message.
        whose: `SENDERS` or `RECIPIENTS`.
        wins: The list that wins where both match.
        table: The table that holds the lists; without it they are `allow` and `block`.
        allow: Patterns, by `PatternSet`'s arguments.
        block: The same.
        blocked: What to decide for those on the winning list BLOCK; None for nothing.
        allowed: For those on ALLOW.
        otherwise: For those on neither.

    Raises:
        StepError: The event leaves recipients out (E6), or the table has an item that says neither ALLOW nor BLOCK.
        ServiceError: DynamoDB refused.
        ServiceUnreachableError: DynamoDB gave no usable answer in time.
    """
    event = message.event
    if whose == "RECIPIENTS" and event.truncated:
        error = "the event leaves recipients out (E6), so that no list can be looked up for them"
        raise StepError(error)
    senders = [event.mail_from, *([event.sender] if event.sender else [])]
    addresses = message.recipients if whose == "RECIPIENTS" else senders
    if table is None:
        sets = {ALLOW: _pattern_set(**(allow or {})), BLOCK: _pattern_set(**(block or {}))}
        lists = {address: {name for name, patterns in sets.items() if address in patterns} for address in addresses}
    else:
        lists = _lists_in(table, addresses, message)
    decisions = {ALLOW: allowed, BLOCK: blocked, "": otherwise}
    if whose == "RECIPIENTS":
        by_list: dict[str, list[str]] = {}
        for address in addresses:
            by_list.setdefault(_winner(lists[address], wins), []).append(address)
        for name, recipients in by_list.items():
            _decide(message, name, decisions[name], recipients)
        return
    # Who sends on behalf of another claims to be both: one is enough to be blocked, and not to be allowed.
    on = {BLOCK} if any(BLOCK in lists[each] for each in senders) else set[str]()
    on |= {ALLOW} if all(ALLOW in lists[each] for each in senders) else set[str]()
    name = _winner(on, wins)
    _decide(message, name, decisions[name], None)


def _winner(on: set[str], wins: str) -> str:
    return wins if wins in on else next(iter(on), "")


def _decide(message: Message, name: str, decision: Mapping[str, str] | None, recipients: Iterable[str] | None) -> None:
    message.note(f"on list {name}" if name else "on no list")
    if name:
        message.count("Blocked" if name == BLOCK else "Allowed")
    if decision is not None:
        message.decide(**decision, recipients=recipients)


@cache
def _pattern_set(**patterns: Any) -> PatternSet:
    return PatternSet(**patterns)


def _lists_in(table: str, addresses: Iterable[str], message: Message) -> dict[str, set[str]]:
    """Return the lists of each address, looked up by every pattern that can match one."""
    patterns = {address: tuple(_possible_patterns(address)) for address in addresses}
    wanted = list(dict.fromkeys(each for possible in patterns.values() for each in possible))
    found: dict[str, str] = {}
    wait_s = _FIRST_WAIT_S
    while wanted:
        request = {
            "Keys": [{"pattern": {"S": each}} for each in wanted[:KEYS_PER_CALL]],
            "ProjectionExpression": "#pattern, #list",
            "ExpressionAttributeNames": {"#pattern": "pattern", "#list": "list"},
        }
        answer = call("DynamoDB", "BatchGetItem", {"RequestItems": {table: request}}, deadline=message.deadline)
        for items in answer.get("Responses", {}).values():
            found |= {item["pattern"]["S"]: _list_of(item) for item in items}
        left = [key["pattern"]["S"] for each in answer.get("UnprocessedKeys", {}).values() for key in each["Keys"]]
        wanted = left + wanted[KEYS_PER_CALL:]
        if left:
            time.sleep(random.random() * min(wait_s, message.time_left_s))  # noqa: S311
            wait_s *= 2
    return {address: {found[each] for each in possible if each in found} for address, possible in patterns.items()}


def _list_of(item: Mapping[str, Any]) -> str:
    name = str(item.get("list", {}).get("S", "")).strip().upper()
    if name not in (ALLOW, BLOCK):
        error = "the table has an item for this message whose attribute `list` is neither ALLOW nor BLOCK"
        raise StepError(error)
    return name


def _possible_patterns(address: str) -> Iterator[str]:
    """Yield the patterns (F4) that match an address; a longer one, or one with other characters, nobody can write."""
    yield "*"
    key = address_key(address)
    _, at, domain = key.rpartition("@")
    if not at or not domain or len(key) > MAX_ADDRESS_CHARACTERS or not key.isprintable():
        return
    yield key
    yield domain
    while domain:
        yield f"*.{domain}"
        domain = domain.partition(".")[2]
