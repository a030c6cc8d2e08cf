"""Finds an organization's id by its alias (L8) for a `Custom::WorkMailOrganization`."""

from __future__ import annotations

from itertools import islice

from workmail_custom_resources.custom_resource import answer, in_time, once_it_counts, workmail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_PAGE = 100  # the most that ListOrganizations gives
_PAGES = 50
_NAMED = 5  # aliases in a reason


def handler(event: dict[str, Any], context: Any) -> None:
    """Answer CloudFormation's request. The physical id of the resource, which `Ref` gives, is the organization's id."""
    answer(event, lambda: _respond(event, context))


def _respond(event: dict[str, Any], context: Any) -> tuple[str, dict[str, str]]:
    if event["RequestType"] == "Delete":
        return event["PhysicalResourceId"], {}
    organization_id = _find_in_time(event["ResourceProperties"]["Alias"], context)
    return organization_id, {"OrganizationId": organization_id}


def _find_in_time(alias: str, context: Any) -> str:
    """Return the organization's id, or raise an error that says what to do, while there is time to send it."""
    _, _, _, region, account, *_ = context.invoked_function_arn.split(":")
    sought = f"the organization with the alias {alias!a} in {region} of account {account}"
    try:
        return in_time(lambda: once_it_counts(lambda: _find(alias)), context)
    except TimeoutError as error:
        raise TimeoutError(f"WorkMail did not name {sought} {error}: deploy again") from None
    except LookupError as error:
        raise LookupError(
            f"did not find {sought}: give an alias that is there, or deploy the stack in the Region and account of the "
            f"organization; {error}"
        ) from None
    except Exception as error:
        raise RuntimeError(f"cannot look up {sought}, solve this and deploy again: {error}") from error


def _find(alias: str) -> str:
    others = []
    for organization in _organizations():
        # A deleted one is listed on, and its alias can be taken again.
        state = organization.get("State", "")
        if organization.get("Alias") == alias and state != "Deleted":
            return str(organization["OrganizationId"])
        others.append(f"{organization.get('Alias')} ({state})")
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    raise LookupError(f"found {', '.join(others[:_NAMED]) or 'no organization'}{more}")


def _organizations() -> Iterator[dict[str, Any]]:
    pages = workmail().get_paginator("list_organizations")
    for page in islice(pages.paginate(PaginationConfig={"PageSize": _PAGE}), _PAGES):
        yield from page["OrganizationSummaries"]
