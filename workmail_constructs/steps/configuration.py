"""The configuration of a rule's steps: JSON for a file beside the code, and tokens for the environment."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

from aws_cdk import Token

from workmail_constructs.stack_record import is_known
from workmail_flow.packed_steps import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_cdk import Stack

VARIABLE_PREFIX: Final = "WORKMAIL_STEP"
"""Every variable that steps need begins with it."""

_LIST_TOKEN: Final = "#{Token["  # noqa: S105 - CDK's word, no password
_SECRETS: Final = ("{{resolve:secretsmanager:", "{{resolve:ssm-secure:")


def json_problems(value: object, path: str) -> Iterator[str]:
    """Yield what is not JSON in a configuration, each with its path."""
    match value:
        case None | bool():
            pass
        case str():
            if _LIST_TOKEN in value:
                yield f"{path}: found a list token, whose length only the deployment knows; join it to text: Fn.join"
        case int() | float():
            if isinstance(value, float) and not math.isfinite(value):
                yield f"{path}: found {value}, which JSON does not have; give a finite number"
            # CDK writes a number token as a negative number too large to count with.
            elif value < -1e288 and Token.is_unresolved(value):
                yield f"{path}: found a number token; give it as text: Token.as_string"
        case dict():
            for key, each in value.items():
                if not isinstance(key, str) or key == ENVIRONMENT or not is_known(key):
                    yield f"{path}: found the key {key!r}; a key is text, neither a token nor {ENVIRONMENT!r}"
                else:
                    yield from json_problems(each, f"{path}.{key}")
        case list() | tuple():
            for index, each in enumerate(value):
                yield from json_problems(each, f"{path}[{index}]")
        case _:
            yield f"{path}: found a {type(value).__name__}; give text, a number, true or false, None, a list or a dict"


class TokenVariables:
    """Moves the tokens of a configuration into environment variables, which the deployment sets.

    Args:
        stack: The function's stack.
        environment: The function's variables, which get more.
    """

    def __init__(self, stack: Stack, environment: dict[str, str]) -> None:
        self._stack = stack
        self._environment = environment
        self._names: dict[str, str] = {}

    def replace(self, value: Any) -> Any:
        """Return a configuration with references in place of tokens.

        Raises:
            ValueError: A token stands for a secret, which must not get into the environment.
        """
        match value:
            case str() if not is_known(value):
                return {ENVIRONMENT: self._variable(value)}
            case dict():
                return {key: self.replace(each) for key, each in value.items()}
            case list() | tuple():
                return [self.replace(each) for each in value]
            case _:
                return value

    def _variable(self, token: str) -> str:
        if token not in self._names:
            resolved = json.dumps(self._stack.resolve(token))
            if any(each in resolved for each in _SECRETS):
                raise ValueError(
                    "configuration: found the value of a secret, which would stand in the function's environment; give "
                    "the secret's ARN, and read it with workmail_rules.secret.read_secret"
                )
            self._names[token] = f"{VARIABLE_PREFIX}_VALUE_{len(self._names)}"
            self._environment[self._names[token]] = token
        return self._names[token]
