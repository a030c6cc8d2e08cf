"""What stands in a construct's id, which takes no token, for a value that may have tokens."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from aws_cdk import Stack

if TYPE_CHECKING:
    from constructs import IConstruct


def resolved_hash(scope: IConstruct, value: object) -> str:
    """Return eight letters and digits for a value; the same in every synth, which a token's own text is not."""
    return sha256(json.dumps(Stack.of(scope).resolve(value), sort_keys=True).encode()).hexdigest()[:8]
