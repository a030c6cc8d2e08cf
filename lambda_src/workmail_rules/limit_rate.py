"""`LimitRate`: so many messages per minute for a protected address, and no more.

All addresses of the step are counted in one DynamoDB item, with one conditional update per message. The item has

- for each address and minute a number: how many messages were let through;
- for each period of some minutes a set: a hash of each address and invocation that was let through, so that a retry
  (E7) finds itself and is not counted again. The set of the period before stays, so that no retry falls between two.

A message that is refused is not counted, so the item does not grow with the storm. Nor do the writes to it: an answer
shows when an address is full for this minute, and then this process asks no more until the next one. That is why one
item takes hundreds of messages per second and the step needs no shards, whose shares of a small limit would be wrong.
"""

from __future__ import annotations

import os
import time
from base64 import urlsafe_b64encode
from functools import cache
from hashlib import blake2s

from workmail_flow.address import address_key
from workmail_flow.metrics import LIMITED
from workmail_rules.aws_call import call
from workmail_rules.step_errors import StepError
from workmail_runtime.content_errors import ServiceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Final

    from workmail_rules.message import Message

_ITEM: Final = "rates"

_IDS_KEPT: Final = 500
"""What a period is made for: some 7 kB, so that an update of the item costs DynamoDB little."""

_MAX_MEMORY_MINUTES: Final = 240
"""WorkMail tries again for so long at most (F13)."""

_MAX_OVER: Final = 100
"""Attributes of the past that may stay in the item until a process counts its next message."""


def run(
    message: Message,
    *,
    table: str,
    addresses: tuple[str, ...],
    per_minute: int,
    action: str,
    text: str | None = None,
) -> None:
    """Decide for the protected recipients who got as many messages in this minute as they may."""
    protected = _hashes(addresses)
    found = {key: address for address in message.recipients if (key := address_key(address)) in protected}
    if not found:
        return
    event = message.event
    # An event of an older edition has no id (E2): each of its retries counts.
    invocation = event.invocation_id or event.message_id or os.urandom(16).hex()
    counter = _counter(table, per_minute, memory_minutes(per_minute=per_minute, addresses=len(addresses)))
    names = {protected[key]: address for key, address in found.items()}
    let_through = counter.count(names, invocation, deadline=message.deadline)
    refused = [address for name, address in names.items() if name not in let_through]
    if refused:
        message.count(LIMITED, message.decide(action, text=text, recipients=refused))


def memory_minutes(*, per_minute: int, addresses: int) -> int:
    """Return for how long at least a retry finds itself: shorter where more messages may be let through."""
    return max(1, min(_MAX_MEMORY_MINUTES, _IDS_KEPT // (per_minute * addresses)))


class Counter:
    """What one process knows of a step's item.

    Args:
        table: The table's name.
        per_minute: How many messages are let through for an address.
        memory: The minutes of a period.
    """

    def __init__(self, table: str, per_minute: int, memory: int) -> None:
        self._table = table
        self._per_minute = per_minute
        self._memory = memory
        self._counts: dict[str, int] = {}
        self._ids: frozenset[str] = frozenset()
        self._over: tuple[str, ...] = ()

    def count(self, names: Iterable[str], invocation: str, *, deadline: float | None) -> set[str]:
        """Count a message for addresses; return those for whom it is let through.

        One call, or none if all are known to be full. If it shows that some have become full or know the message
        already, there is another call for the others.
        """
        minute = int(time.time() // 60)
        waiting = {name: _hash(f"{name}/{invocation}") for name in names}
        let_through: set[str] = set()
        for _ in range(len(waiting) + 1):
            let_through |= {name for name, entry in waiting.items() if entry in self._ids}
            waiting = {
                name: entry
                for name, entry in waiting.items()
                if name not in let_through and self._counts.get(f"{name}.{minute}", 0) < self._per_minute
            }
            if not waiting:
                return let_through
            if self._update(waiting, minute, deadline):
                return let_through | waiting.keys()
        message = "DynamoDB refused to count, and its answer does not show why"
        raise StepError(message)

    def _update(self, waiting: Mapping[str, str], minute: int, deadline: float | None) -> bool:
        """Count for all of these addresses, or for none; learn what the item has either way."""
        period = minute // self._memory
        names = {"#new": f"ids.{period}", "#old": f"ids.{period - 1}"}
        values: dict[str, Any] = {
            ":one": {"N": "1"},
            ":most": {"N": str(self._per_minute)},
            ":ids": {"SS": sorted(waiting.values())},
            ":expires": {"N": str((period + 3) * self._memory * 60)},
        }
        conditions = []
        for index, (name, entry) in enumerate(waiting.items()):
            names[f"#c{index}"] = f"{name}.{minute}"
            values[f":i{index}"] = {"S": entry}
            conditions.append(
                f"(attribute_not_exists(#c{index}) OR #c{index} < :most)"
                f" AND NOT contains(#new, :i{index}) AND NOT contains(#old, :i{index})"
            )
        added = "".join(f", #c{index} :one" for index in range(len(waiting)))
        removed = {f"#o{index}": name for index, name in enumerate(self._over)}
        update = {
            "TableName": self._table,
            "Key": {"id": {"S": _ITEM}},
            "UpdateExpression": f"ADD #new :ids{added} SET expires = :expires{_remove(removed)}",
            "ConditionExpression": " AND ".join(conditions),
            "ExpressionAttributeNames": names | removed,
            "ExpressionAttributeValues": values,
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            item = call("DynamoDB", "UpdateItem", update, deadline=deadline)["Attributes"]
            is_counted = True
        except ServiceError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            item = error.answer.get("Item", {})
            is_counted = False
        self._learn(item, minute, period)
        if len(self._over) > _MAX_OVER:  # processes that count one message each leave them to nobody
            self._forget(deadline)
        return is_counted

    def _learn(self, item: Mapping[str, Any], minute: int, period: int) -> None:
        self._counts = {name: int(value["N"]) for name, value in item.items() if "." in name and "N" in value}
        self._ids = frozenset(entry for name in item for entry in item[name].get("SS", ()))
        # Clocks differ a little: a minute is over when the one after it is too.
        oldest = {"N": minute - 1, "SS": period - 1}
        self._over = tuple(
            name
            for name, value in item.items()
            for kind in oldest.keys() & value
            if "." in name and int(name.rpartition(".")[2]) < oldest[kind]
        )

    def _forget(self, deadline: float | None) -> None:
        removed = {f"#o{index}": name for index, name in enumerate(self._over)}
        update = {
            "TableName": self._table,
            "Key": {"id": {"S": _ITEM}},
            "UpdateExpression": _remove(removed).strip(),
            "ExpressionAttributeNames": removed,
        }
        call("DynamoDB", "UpdateItem", update, deadline=deadline)
        self._over = ()


def _remove(names: Iterable[str]) -> str:
    listed = ", ".join(names)
    return f" REMOVE {listed}" if listed else ""


@cache
def _counter(table: str, per_minute: int, memory: int) -> Counter:
    return Counter(table, per_minute, memory)


@cache
def _hashes(addresses: tuple[str, ...]) -> dict[str, str]:
    """Return the addresses, each with its name in the item: the table holds no address."""
    return {address: _hash(address) for address in addresses}


def _hash(text: str) -> str:
    return urlsafe_b64encode(blake2s(text.encode("utf-8", "surrogatepass"), digest_size=9).digest()).decode()
