"""What handlers of custom resources share: an answer to CloudFormation whatever fails, and calls of WorkMail in time.

CloudFormation waits for an answer, for an hour by default. The log has ids only: the address to answer at is a secret.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any, TypeVar

    Result = TypeVar("Result")

NOT_MADE = "none"
"""The physical id of a resource that could not be made: it needs one too, since CloudFormation asks to delete it."""

# Seconds. All attempts to answer fit into what is kept for them.
KEPT_FOR_THE_ANSWER = 25
LONGEST_WAIT = 3
ANSWER_PAUSES = (0, 1, 2)

# What the same deployment made, a right for instance, may take a moment until it counts.
PAUSES_UNTIL_IT_COUNTS = (5, 10)

_LONGEST_REASON = 600  # characters, each of which JSON may spell in six; CloudFormation takes 4,096 bytes in all


def answer(event: dict[str, Any], respond: Callable[[], tuple[str, dict[str, str]]]) -> None:
    """Answer CloudFormation's request.

    Args:
        event: The request.
        respond: Does what is requested, and returns the resource's physical id and data. An error that it raises is the
            reason in the answer; the resource keeps its physical id then.

    Raises:
        RuntimeError: CloudFormation did not take the answer; Lambda then runs the request again.
        ValueError: The address to answer at is neither https nor on this machine.
    """
    answered = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
    try:
        physical_id, data = respond()
        answered |= {"PhysicalResourceId": physical_id, "Status": "SUCCESS", "Data": data}
    except Exception as error:  # whatever fails, CloudFormation has to hear of it
        kept = event.get("PhysicalResourceId", NOT_MADE)
        answered |= {"PhysicalResourceId": kept, "Status": "FAILED", "Reason": str(error)[:_LONGEST_REASON]}
    shown = ("StackId", "RequestId", "LogicalResourceId", "PhysicalResourceId", "Status")
    print(json.dumps({"RequestType": event["RequestType"]} | {name: answered[name] for name in shown}))
    _send(event["ResponseURL"], json.dumps(answered).encode())


def in_time(work: Callable[[], Result], context: Any) -> Result:
    """Return what `work` returns, or raise what it raises, while there is time to answer.

    Raises:
        TimeoutError: It took too long; the text says `within … seconds`.
    """
    seconds = context.get_remaining_time_in_millis() / 1000 - KEPT_FOR_THE_ANSWER
    try:
        # A thread, since nothing ends a call that hangs.
        return ThreadPoolExecutor(1).submit(work).result(seconds)
    except TimeoutError:
        raise TimeoutError(f"within {seconds:.0f} seconds") from None


def workmail() -> Any:
    """Return a client for WorkMail that gives up before the function's time is over."""
    # Lambda has both; our other code must load without them.
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=LONGEST_WAIT, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 4}
    )
    return boto3.client("workmail", config=config)


def once_it_counts(call: Callable[[], Result], not_yet: Collection[str] = ("AccessDeniedException",)) -> Result:
    """Return what a call of AWS returns, trying again after errors with a code of `not_yet`."""
    for pause in PAUSES_UNTIL_IT_COUNTS:
        try:
            return call()
        except Exception as error:
            if error_code(error) not in not_yet:
                raise
        time.sleep(pause)
    return call()


def error_code(error: Exception) -> str:
    """Return the code of an error that AWS answered; no text for any other error."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def _send(url: str, body: bytes) -> None:
    place = urlsplit(url)
    is_here = place.scheme == "http" and place.hostname in ("localhost", "127.0.0.1")  # a local AWS
    if not is_here and place.scheme != "https":
        raise ValueError(f"ResponseURL: found {place.scheme!a}; allowed is https")
    problem = ""
    for pause in ANSWER_PAUSES:
        time.sleep(pause)
        connection = (HTTPConnection if is_here else HTTPSConnection)(place.netloc, timeout=LONGEST_WAIT)
        try:
            # The address is signed for an empty content type.
            connection.request("PUT", f"{place.path}?{place.query}", body, {"Content-Type": ""})
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
