"""An output of a stack, as words that a person reads and as the command that prints it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_WORDS: Final = re.compile(r"the output (?P<name>[A-Za-z0-9]+) of stack (?P<stack>[A-Za-z][A-Za-z0-9-]*)")


@dataclass(frozen=True, slots=True)
class StackOutput:
    """An output of a stack; as text, words that say where to find it."""

    name: str
    stack: str

    @classmethod
    def parse(cls, words: str) -> StackOutput | None:
        """Read the words; None for any other text."""
        found = _WORDS.fullmatch(words)
        return cls(found["name"], found["stack"]) if found else None

    def command(self, region: str | None) -> str:
        """Return the command that prints the value, with the Region of the AWS profile if `region` is not known."""
        query = f"Stacks[0].Outputs[?OutputKey=='{self.name}'].OutputValue"
        return describe_stack(self.stack, region, query)

    def __str__(self) -> str:
        return f"the output {self.name} of stack {self.stack}"


def describe_stack(stack: str, region: str | None, query: str) -> str:
    """Return the command that prints what `query` finds of a deployed stack."""
    return f'aws cloudformation describe-stacks --stack-name {stack}{in_region(region)} --query "{query}" --output text'


def in_region(region: str | None) -> str:
    """Return the option of an AWS command that names the Region; nothing for the Region of the AWS profile."""
    return f" --region {region}" if region else ""
