"""Finds an organization's id by its alias (L8), when CloudFormation makes or changes a `Custom::WorkMailOrganization`.

The template carries this file as it is, so it imports nothing of ours. CloudFormation waits for an answer, for an hour
by default, so there is one whatever fails. The log has ids only: the address to answer at is a secret.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import islice
from urllib.parse import urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# Seconds. All attempts to answer fit into what is kept for them.
_KEPT_FOR_THE_ANSWER = 25
_LONGEST_WAIT = 3
_PAUSES = (0, 1, 2)

# A right that the same deployment gave the function may take a moment until it counts.
_PAUSES_FOR_RIGHTS = (5, 10)

_PAGE = 100  # the most that ListOrganizations gives
_PAGES = 50
_NAMED = 5  # aliases in a reason: CloudFormation takes 4,096 bytes in all
_LONGEST_REASON = 600  # characters, each of which JSON may spell in six


def handler(event: dict[str, Any], context: Any) -> None:
    """Answer CloudFormation's request. The physical id of the resource, which `Ref` gives, is the organization's id.

    Raises:
        RuntimeError: CloudFormation did not take the answer; Lambda then runs the request again.
        ValueError: The address to answer at is neither https nor on this machine.
    """
    answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    # A resource that could not be made needs a physical id too: CloudFormation asks to delete it.
    answer |= {"PhysicalResourceId": event.get("PhysicalResourceId", "none"), "Status": "SUCCESS"}
    if event["RequestType"] != "Delete":
        try:
            organization_id = _find_in_time(event["ResourceProperties"]["Alias"], context)
            answer |= {"PhysicalResourceId": organization_id, "Data": {"OrganizationId": organization_id}}
        except Exception as error:  # whatever fails, CloudFormation has to hear of it
            answer |= {"Status": "FAILED", "Reason": str(error)[:_LONGEST_REASON]}
    shown = ("StackId", "RequestId", "LogicalResourceId", "PhysicalResourceId", "Status")
    print(json.dumps({"RequestType": event["RequestType"]} | {name: answer[name] for name in shown}))
    _send(event["ResponseURL"], json.dumps(answer).encode())


def _find_in_time(alias: str, context: Any) -> str:
    """Return the organization's id, or raise an error that says what to do, while there is time to send it."""
    _, _, _, region, account, *_ = context.invoked_function_arn.split(":")
    sought = f"the organization with the alias {alias!a} in {region} of account {account}"
    seconds = context.get_remaining_time_in_millis() / 1000 - _KEPT_FOR_THE_ANSWER
    try:
        # A thread, since nothing ends a call that hangs.
        return ThreadPoolExecutor(1).submit(_find, alias).result(seconds)
    except TimeoutError:
        raise TimeoutError(f"WorkMail did not name {sought} within {seconds:.0f} seconds: deploy again") from None
    except LookupError as error:
        raise LookupError(
            f"did not find {sought}: give an alias that is there, or deploy the stack in the Region and account of the "
            f"organization; {error}"
        ) from None
    except Exception as error:
        raise RuntimeError(f"cannot look up {sought}, solve this and deploy again: {error}") from error


def _find(alias: str) -> str:
    # Lambda has it; our other code must load without it.
    from botocore.exceptions import ClientError

    for pause in _PAUSES_FOR_RIGHTS:
        try:
            return _find_once(alias)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "AccessDeniedException":
                raise
        time.sleep(pause)
    return _find_once(alias)


def _find_once(alias: str) -> str:
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
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=_LONGEST_WAIT, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4}
    )
    pages = boto3.client("workmail", config=config).get_paginator("list_organizations")
    for page in islice(pages.paginate(PaginationConfig={"PageSize": _PAGE}), _PAGES):
        yield from page["OrganizationSummaries"]


def _send(url: str, answer: bytes) -> None:
    place = urlsplit(url)
    is_here = place.scheme == "http" and place.hostname in ("localhost", "127.0.0.1")  # a local AWS
    if not is_here and place.scheme != "https":
        raise ValueError(f"ResponseURL: found {place.scheme!a}; allowed is https")
    problem = ""
    for pause in _PAUSES:
        time.sleep(pause)
        connection = (HTTPConnection if is_here else HTTPSConnection)(place.netloc, timeout=_LONGEST_WAIT)
        try:
            # The address is signed for an empty content type.
            connection.request("PUT", f"{place.path}?{place.query}", answer, {"Content-Type": ""})
            status = connection.getresponse().status
        except (OSError, HTTPException) as error:
            problem = type(error).__name__
        else:
            if status == 200:
                return
            problem = f"status {status}"
        finally:
            connection.close()
    raise RuntimeError(f"CloudFormation did not take the answer: {problem}")
