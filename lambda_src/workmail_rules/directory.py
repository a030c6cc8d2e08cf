"""The organization's directory, read through the WorkMail API with few calls and kept for a stated time (D1, D2)."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager

from workmail_flow.address import address_key, domain_key
from workmail_rules.aws_call import call
from workmail_rules.step_errors import StepError
from workmail_runtime.content_errors import ServiceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Final, TypeVar

    Value = TypeVar("Value")

_NOT_THERE: Final = "EntityNotFoundException"
_NO_MAILBOX: Final = "EntityStateException"
"""A member that is disabled or deleted gets and sends no mail."""

_PAGE: Final = 100
"""The most that WorkMail gives at once."""

_MAX_PAGES: Final = 1_000
_MAX_KEPT: Final = 20_000
"""Answers that are kept; senders choose for which addresses there are some."""

# What `DescribeEntity` takes; no entity has another address.
_ADDRESS: Final = re.compile(r"[a-zA-Z0-9._%+-]{1,64}@[a-zA-Z0-9.-]+\.[a-zA-Z-]{2,}")
_MAX_ADDRESS: Final = 254


class Directory:
    """The entities of an organization: users, groups and resources.

    Args:
        organization_id: The organization (L3).
        max_age_s: How old an answer may be before it is asked for again.
    """

    def __init__(self, organization_id: str, max_age_s: float) -> None:
        self._organization_id = organization_id
        self._max_age_s = max_age_s
        self._kept: dict[tuple[str, ...], tuple[float, Any]] = {}

    def mail_domains(self, *, deadline: float | None) -> frozenset[str]:
        """Return the keys of the organization's mail domains."""

        def read() -> frozenset[str]:
            found = self._pages("ListMailDomains", "MailDomains", {}, deadline)
            return frozenset(domain_key(each["DomainName"]) for each in found)

        return self._keep(("domains",), read)

    def entity_id(self, address: str, *, deadline: float | None) -> str | None:
        """Return the id of what has this address; None if the directory does not know it.

        WorkMail's pages leave open whether aliases are found; see `is_alias`.
        """
        key = address_key(address)
        if len(key) > _MAX_ADDRESS or not _ADDRESS.fullmatch(key):
            return None

        def read() -> str | None:
            arguments = {"OrganizationId": self._organization_id, "Email": key}
            with _none_if(_NOT_THERE):
                found: str = call("WorkMail", "DescribeEntity", arguments, deadline=deadline)["EntityId"]
                return found
            return None

        return self._keep(("entity", key), read)

    def members(self, group: str, *, deadline: float | None) -> frozenset[str]:
        """Return the ids of a group, of its members, of the groups in it and of their members.

        Args:
            group: The group's address.
            deadline: The `time.monotonic()` at which to give up.

        Raises:
            StepError: There is no such group.
        """
        root = self.entity_id(group, deadline=deadline)
        if root is None:
            message = "the group does not exist: name the address of one of the organization's groups"
            raise StepError(message)
        found = {root}
        waiting = [root]
        while waiting:
            members = self._members(waiting.pop(), deadline)
            waiting += [each for each, kind in members if kind == "GROUP" and each not in found]
            found.update(each for each, _ in members)
        return frozenset(found)

    def is_alias(self, address: str, entities: frozenset[str], *, deadline: float | None) -> bool:
        """Whether one of these entities has this alias: a call for each of them, so ask `entity_id` first."""
        key = address_key(address)
        return any(key in self._aliases(entity, deadline) for entity in sorted(entities))

    def _members(self, group_id: str, deadline: float | None) -> tuple[tuple[str, str], ...]:
        def read() -> tuple[tuple[str, str], ...]:
            with _none_if(_NOT_THERE):  # removed since it was listed
                found = self._pages("ListGroupMembers", "Members", {"GroupId": group_id}, deadline)
                return tuple((each["Id"], each["Type"]) for each in found)
            return ()

        return self._keep(("members", group_id), read)

    def _aliases(self, entity_id: str, deadline: float | None) -> frozenset[str]:
        def read() -> frozenset[str]:
            with _none_if(_NOT_THERE, _NO_MAILBOX):
                found = self._pages("ListAliases", "Aliases", {"EntityId": entity_id}, deadline)
                return frozenset(address_key(each) for each in found)
            return frozenset()

        return self._keep(("aliases", entity_id), read)

    def _pages(self, operation: str, name: str, arguments: dict[str, str], deadline: float | None) -> Iterator[Any]:
        page: dict[str, Any] = {"OrganizationId": self._organization_id, "MaxResults": _PAGE, **arguments}
        for _ in range(_MAX_PAGES):
            answer = call("WorkMail", operation, page, deadline=deadline)
            yield from answer.get(name, ())
            if not answer.get("NextToken"):
                return
            page["NextToken"] = answer["NextToken"]
        message = f"{operation} has more than {_MAX_PAGES:,} pages"
        raise StepError(message)

    def _keep(self, key: tuple[str, ...], read: Callable[[], Value]) -> Value:
        read_at, value = self._kept.get(key, (float("-inf"), None))
        if time.monotonic() - read_at > self._max_age_s:
            started = time.monotonic()
            value = read()
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[key] = started, value
        kept: Value = value
        return kept


@contextmanager
def _none_if(*codes: str) -> Iterator[None]:
    """Leave the block where the service says one of these."""
    try:
        yield
    except ServiceError as error:
        if error.code not in codes:
            raise
