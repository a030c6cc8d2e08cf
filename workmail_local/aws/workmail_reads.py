"""WorkMail's reads of an organization's directory (D1, D2), answered from the state folder's `directory.json`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from werkzeug.wrappers import Response

from workmail_flow.assumptions import DESCRIBES_ALIASES
from workmail_local.aws.refusal import refusal
from workmail_local.directory import LocalDirectory
from workmail_local.state_file import StateFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from workmail_local.directory import Entity

_SERVICE: Final = "WorkMailService."
_MAX_RESULTS: Final = 100
_ENABLED: Final = "ENABLED"


class WorkMailReads:
    """WSGI middleware, behind `FunctionAccess`. The file is read for each request, so it may change at any time.

    Args:
        application: What answers all other requests.
        state: The state folder; without one the directory is empty.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], state: Path | None) -> None:
        self._application = application
        self._state = state

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer, or pass the request on."""
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        answer = _ANSWERS.get(target.removeprefix(_SERVICE)) if target.startswith(_SERVICE) else None
        if answer is None:
            return self._application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        try:
            directory = LocalDirectory() if self._state is None else LocalDirectory.load(self._state)
            response = Response(
                json.dumps(answer(directory, json.loads(body))), status=200, content_type="application/x-amz-json-1.1"
            )
        except _NotFoundError as error:
            response = _refused(environ, str(error), "EntityNotFoundException")
        except (StateFileError, ValueError, KeyError) as error:
            response = _refused(environ, str(error), "InvalidParameterException")
        return response(environ, start_response)


class _NotFoundError(Exception):
    """The directory has no such entity."""


def _refused(environ: dict[str, Any], message: str, code: str) -> Response:
    return refusal(environ, message, json_code=code, xml_code=code, status=400)


def _describe_entity(directory: LocalDirectory, asked: dict[str, Any]) -> dict[str, Any]:
    entity = directory.by_email(asked["Email"], with_aliases=DESCRIBES_ALIASES)
    if entity is None:
        raise _NotFoundError("The entity does not exist in the organization.")
    return {"EntityId": entity.id, "Name": entity.name, "Type": _type_of(entity)}


def _list_group_members(directory: LocalDirectory, asked: dict[str, Any]) -> dict[str, Any]:
    group = _found(directory, asked["GroupId"])
    if not group.is_group:
        raise _NotFoundError("The entity is no group.")
    members = [
        {"Id": each.id, "Name": each.name, "Type": _type_of(each), "State": _ENABLED}
        for each in directory.members_of(group)
    ]
    return _page("Members", members, asked)


def _list_groups_for_entity(directory: LocalDirectory, asked: dict[str, Any]) -> dict[str, Any]:
    prefix = _only_filter(asked, "GroupNamePrefix")
    groups = directory.groups_of(_found(directory, asked["EntityId"]))
    named = [{"GroupId": each.id, "GroupName": each.name} for each in groups if each.name.startswith(prefix)]
    return _page("Groups", named, asked)


def _list_aliases(directory: LocalDirectory, asked: dict[str, Any]) -> dict[str, Any]:
    return _page("Aliases", list(_found(directory, asked["EntityId"]).aliases), asked)


def _list_users(directory: LocalDirectory, asked: dict[str, Any]) -> dict[str, Any]:
    prefix = _only_filter(asked, "PrimaryEmailPrefix")
    users = [
        {"Id": each.id, "Email": each.email, "Name": each.name, "State": _ENABLED, "UserRole": "USER"}
        for each in directory.entities
        if not each.is_group and each.email.startswith(prefix)
    ]
    return _page("Users", users, asked)


def _list_groups(directory: LocalDirectory, asked: dict[str, Any]) -> dict[str, Any]:
    prefix = _only_filter(asked, "PrimaryEmailPrefix")
    groups = [
        {"Id": each.id, "Email": each.email, "Name": each.name, "State": _ENABLED}
        for each in directory.entities
        if each.is_group and each.email.startswith(prefix)
    ]
    return _page("Groups", groups, asked)


def _list_mail_domains(directory: LocalDirectory, asked: dict[str, Any]) -> dict[str, Any]:
    domains = [{"DomainName": each, "DefaultDomain": n == 0} for n, each in enumerate(directory.domains)]
    return _page("MailDomains", domains, asked)


_ANSWERS: Final = {
    "DescribeEntity": _describe_entity,
    "ListAliases": _list_aliases,
    "ListGroupMembers": _list_group_members,
    "ListGroups": _list_groups,
    "ListGroupsForEntity": _list_groups_for_entity,
    "ListMailDomains": _list_mail_domains,
    "ListUsers": _list_users,
}


def _found(directory: LocalDirectory, identifier: str) -> Entity:
    entity = directory.find(identifier)
    if entity is None:
        raise _NotFoundError("The entity does not exist in the organization.")
    return entity


def _type_of(entity: Entity) -> str:
    return "GROUP" if entity.is_group else "USER"


def _only_filter(asked: dict[str, Any], name: str) -> str:
    filters = asked.get("Filters", {})
    if unknown := sorted(filters.keys() - {name}):
        raise ValueError(f"the local AWS has the filter {name} here, not {', '.join(unknown)}")
    return str(filters.get(name, ""))


def _page(name: str, items: list[Any], asked: dict[str, Any]) -> dict[str, Any]:
    start = int(asked.get("NextToken", 0))
    end = start + min(int(asked.get("MaxResults", _MAX_RESULTS)), _MAX_RESULTS)
    return {name: items[start:end], **({"NextToken": str(end)} if end < len(items) else {})}
