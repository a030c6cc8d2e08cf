"""What a step gets to bind itself to a rule's function, and what comes of all of a rule's steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from constructs import Construct

from workmail_constructs.steps.once_table import OnceTable
from workmail_flow.packed_steps import ONCE_TABLE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from aws_cdk.aws_iam import PolicyStatement
    from aws_cdk.aws_lambda import Function

    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.stack_record import StackRecord
    from workmail_flow.vocabulary import FlowDirection


@dataclass(slots=True)
class StepNeeds:
    """What the steps of one rule need of its function."""

    statements: list[PolicyStatement] = field(default_factory=list)
    """Rights of its role."""
    environment: dict[str, str] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)
    """Folders of code to pack beside the steps."""
    requirements: list[str] = field(default_factory=list)
    """Packages to pack with the code, as lines of a requirements file."""
    after: list[Callable[[Function], None]] = field(default_factory=list)
    """What is done once the function is made."""


@dataclass(frozen=True, slots=True)
class StepBinding:
    """How a step reaches its rule while it binds itself.

    Args:
        rule: The rule's construct.
        name: The step's name, unique in the rule.
        organization: The rule's organization.
        direction: Which mail the rule sees.
        record: Of the rule's stack.
        metrics: Whether the function writes metrics; an alarm on one that it does not write is never on.
        needs: What the rule's steps need so far.
    """

    rule: Construct
    name: str
    organization: WorkMailOrganization
    direction: FlowDirection
    record: StackRecord
    metrics: bool
    needs: StepNeeds

    @property
    def scope(self) -> Construct:
        """Where the step makes what it needs: a construct of its own, below the rule's `Steps`."""
        # Apart from the rule's own parts, whose ids a step's name may be.
        return _child(_child(self.rule, "Steps"), self.name)

    def grant(self, statements: Sequence[PolicyStatement]) -> None:
        """Give the function's role rights."""
        self.needs.statements.extend(statements)

    def use_once(self) -> None:
        """Let the step do something once per invocation (E7): the rule gets a table for it, shared by its steps."""
        table = OnceTable.of(self.rule)
        if ONCE_TABLE_VARIABLE not in self.needs.environment:
            self.needs.environment[ONCE_TABLE_VARIABLE] = table.name
            self.needs.statements.append(table.statement())

    def pack(self, folder: Path) -> None:
        """Pack a folder of Python code beside the steps, under its own name, with its requirements."""
        self.needs.folders.append(folder)

    def require(self, requirement: str) -> None:
        """Pack a package, such as `puremagic==1.30`, with the code of rules that use the step."""
        self.needs.requirements.append(requirement)

    def after_function(self, do: Callable[[Function], None]) -> None:
        """Do something once the function is made, for example an alarm on one of its metrics."""
        self.needs.after.append(do)


def _child(parent: Construct, id: str) -> Construct:  # noqa: A002 - CDK's word
    found = parent.node.try_find_child(id)
    return found if isinstance(found, Construct) else Construct(parent, id)
