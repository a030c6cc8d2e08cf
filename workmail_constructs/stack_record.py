"""What the constructs remember of a stack and of its app, so that CDK is asked once and nothing is made twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from aws_cdk import BootstraplessSynthesizer, NestedStack, Stack, Stage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aws_cdk.aws_iam import PolicyStatement
    from aws_cdk.aws_lambda import Code
    from constructs import IConstruct

    # A circle for the type checkers only: the record keeps for `email_flow_rules` what that module alone reads.
    from workmail_constructs.email_flow_rules import Declaration, EmailFlowRules
    from workmail_constructs.interfaces import AnyBucket, AnyKey


def is_known(text: str) -> bool:
    """Whether text is final, and not (in part) a token that only the deployment resolves.

    CDK's own `Token.is_unresolved` gives the same answer for the price of a call into Node.js.
    """
    return "${Token[" not in text


@dataclass(eq=False)
class AppRecord:
    """What the stacks of an app share."""

    declarations: list[Declaration] = field(default_factory=list)
    """The email flow rules of all stacks, in the order of their declaration."""
    event_logs: dict[tuple[Stage | None, tuple[str, ...]], str] = field(default_factory=dict)
    """The path of what logs the email events of an organization, by stage and the organization's key."""
    readable_buckets: set[tuple[AnyBucket, str]] = field(default_factory=set)
    """Buckets that WorkMail may read, each with the ARN of the organization it reads for."""
    log_keys: set[tuple[AnyKey, str]] = field(default_factory=set)
    """Keys that CloudWatch Logs may use, each with the ARN of the log groups it uses it for."""
    _watchers: list[Callable[[Declaration], None]] = field(default_factory=list)

    def declare(self, declaration: Declaration) -> None:
        """Add an email flow rule."""
        self.declarations.append(declaration)
        for watch in self._watchers:
            watch(declaration)

    def for_each_declaration(self, do: Callable[[Declaration], None]) -> None:
        """Do something for each rule of the app, declared before or after this."""
        for declaration in tuple(self.declarations):
            do(declaration)
        self._watchers.append(do)


@dataclass(eq=False)
class StackRecord:
    """What the constructs know of one stack and have made in it."""

    stack: Stack
    is_region_guarded: bool = False
    required_places: dict[str, tuple[str, str, IConstruct]] = field(default_factory=dict)
    """The Region and the account that CloudFormation asserts before it deploys this stack, each with what must be there
    and the rule that needs it."""
    statements: dict[tuple[str, str], PolicyStatement] = field(default_factory=dict)
    """Rights on message content, by the messages' ARN and the access. A role never changes a statement, so rules of one
    stack share them."""
    codes: dict[tuple[Path, type[Code]], Code] = field(default_factory=dict)
    """By packed folder and kind; CDK ties a `Code` to the first stack that uses it."""
    checks: dict[Callable[[], None], None] = field(default_factory=dict)
    """What is checked at each synth, after all aspects."""
    email_flow_rules: EmailFlowRules | None = None

    @classmethod
    def of(cls, scope: IConstruct) -> StackRecord:
        """Return the record of the stack that `scope` is, or is in."""
        record = _OF_SCOPE.get(scope)
        if record is None:
            stack = scope if isinstance(scope, Stack) else Stack.of(scope)
            record = _OF_SCOPE.setdefault(stack, cls(stack))
            _OF_SCOPE[scope] = record
        return record

    @cached_property
    def region(self) -> str:
        """The stack's Region, or a token for `AWS::Region`."""
        return self.stack.region

    @cached_property
    def account(self) -> str:
        """The stack's account, or a token for `AWS::AccountId`."""
        return self.stack.account

    @cached_property
    def stage(self) -> Stage | None:
        """The stage that the stack is in; the app is one too."""
        return Stage.of(self.stack)

    @cached_property
    def takes_assets(self) -> bool:
        """Whether the stack can have a function whose code is in files."""
        return not isinstance(self.stack.synthesizer, BootstraplessSynthesizer)

    @cached_property
    def top_level(self) -> StackRecord:
        """The record of the stack that is deployed: this one, or the one around all nested stacks."""
        parent = self.stack.nested_stack_parent if isinstance(self.stack, NestedStack) else None
        return StackRecord.of(parent).top_level if parent else self

    def is_within(self, around: StackRecord) -> bool:
        """Whether this is the stack `around`, or nested in it at any depth."""
        if self is around:
            return True
        parent = self.stack.nested_stack_parent if isinstance(self.stack, NestedStack) else None
        return parent is not None and StackRecord.of(parent).is_within(around)

    @cached_property
    def app(self) -> AppRecord:
        """The record of the app that the stack belongs to."""
        return _OF_APP.setdefault(self.stack.node.root, AppRecord())


_OF_SCOPE: Final[WeakKeyDictionary[IConstruct, StackRecord]] = WeakKeyDictionary()
_OF_APP: Final[WeakKeyDictionary[IConstruct, AppRecord]] = WeakKeyDictionary()
