"""Secrets of AWS Secrets Manager, read when a step needs them and kept for a stated time."""

from __future__ import annotations

import time

from workmail_rules.aws_call import call
from workmail_rules.step_errors import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MAX_AGE_S: Final = 300.0
"""How old a secret may be before it is read again: a rotated one is taken within five minutes."""

_kept: dict[str, tuple[float, str]] = {}


def read_secret(arn: str, *, deadline: float | None = None) -> str:
    """Return a secret's current text, at most `MAX_AGE_S` old.

    Raises:
        ServiceError: Secrets Manager refused, for example because the role may not read it.
        ServiceUnreachableError: No try before the deadline got an answer.
        StepError: It is binary.
    """
    read_at, text = _kept.get(arn, (float("-inf"), ""))
    if time.monotonic() - read_at > MAX_AGE_S:
        answer = call("Secrets Manager", "GetSecretValue", {"SecretId": arn}, deadline=deadline)
        if "SecretString" not in answer:
            message = "found a binary secret; give one with text"
            raise StepError(message)
        text = answer["SecretString"]
        _kept[arn] = time.monotonic(), text
    return text


def forget_secret(arn: str) -> None:
    """Read a secret again next time, for example after it was refused."""
    _kept.pop(arn, None)
