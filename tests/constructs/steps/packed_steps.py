"""What a rule's steps get to run with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aws_cdk import Stage

if TYPE_CHECKING:
    from aws_cdk import Stack


def configuration_of(stack: Stack) -> dict[str, Any]:
    """Return the packed configuration of the only step of an app."""
    root = stack.node.root
    assert isinstance(root, Stage)
    (file,) = Path(root.synth().directory).glob("asset.*/workmail_steps.json")
    (step,) = json.loads(file.read_text(encoding="utf-8"))["steps"]
    configuration: dict[str, Any] = step["configuration"]
    return configuration
