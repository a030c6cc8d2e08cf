"""An example's own step as a plain function, and its app with what it needs on this machine."""

from __future__ import annotations

import importlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workmail_rules import Message, secret
from workmail_rules.conversation import Conversation
from workmail_runtime.content import MessageContent
from workmail_runtime.event import InboundEvent

if TYPE_CHECKING:
    import pytest

    from workmail_local.testing.workmail_local import WorkMailLocal

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret:Own-AbCdEf"


class ShortContext:
    """Lambda's context of an invocation whose steps have `left_s`."""

    aws_request_id = "1"

    def __init__(self, left_s: float) -> None:
        self._left_ms = int(left_s * 1000) + 500

    def get_remaining_time_in_millis(self) -> int:
        return self._left_ms


def import_step(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Any:
    """Import an own step as the function does."""
    monkeypatch.syspath_prepend(str(folder.parent))
    return importlib.import_module(f"{folder.name}.step")


def new_message(raw: bytes, *, left_s: float = 5, mail_from: str = "alice@example.com") -> Message:
    """Return a message of an event of an older edition (E2), for which `once` needs no table."""
    event = InboundEvent(mail_from=mail_from, recipients=("blog@example.com",), context=ShortContext(left_s))
    conversation = Conversation(event, content=MessageContent(event, raw))
    return Message(conversation, step="Step", recipients=event.recipients)


def know_secret(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    """Let steps read the secret `SECRET` without AWS."""
    monkeypatch.setitem(secret._kept, SECRET, (time.monotonic(), json.dumps(value)))


def put_secret(local: WorkMailLocal, value: Any) -> str:
    """Put the value of the app's one secret, and return its ARN."""
    secrets = local.client("secretsmanager")
    (found,) = secrets.list_secrets()["SecretList"]
    secrets.put_secret_value(SecretId=found["ARN"], SecretString=json.dumps(value))
    return str(found["ARN"])
