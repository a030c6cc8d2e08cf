"""What every step has: whose mail it is for, and what its failure does."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias, TypedDict

from workmail_constructs.content_access import ContentAccess
from workmail_flow.patterns import Pattern, PatternError
from workmail_flow.vocabulary import FlowDirection
from workmail_flow.words import one_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workmail_constructs.steps.binding import StepBinding
    from workmail_flow.words import AnyDirection


class Senders(StrEnum):
    """Whose mail a step is for, by the domains that `WorkMailOrganization` was given."""

    ALL = "ALL"
    INTERNAL = "INTERNAL"
    """Everybody who claims to send the message is of the organization. That is a claim: see the docs."""
    EXTERNAL = "EXTERNAL"
    """Everybody else."""


class Recipients(StrEnum):
    """Which recipients a step is for, by the domains that `WorkMailOrganization` was given."""

    ALL = "ALL"
    INTERNAL = "INTERNAL"
    EXTERNAL = "EXTERNAL"


class OnFailure(StrEnum):
    """What happens when a step cannot do its work."""

    FAIL = "FAIL"
    """The invocation fails: WorkMail tries again, and then takes the fallback action (T2)."""
    GO_ON = "GO_ON"
    """The mail goes on without it, and the metric `Failed` of the step counts it."""


AnyOnFailure: TypeAlias = OnFailure | Literal["FAIL", "GO_ON"]
AnySenders: TypeAlias = Senders | Literal["ALL", "INTERNAL", "EXTERNAL"] | Sequence[str]
AnyRecipients: TypeAlias = Recipients | Literal["ALL", "INTERNAL", "EXTERNAL"] | Sequence[str]

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class StepOptions(TypedDict, total=False):
    """The arguments that all steps have; see `Step`."""

    senders: AnySenders
    recipients: AnyRecipients
    direction: AnyDirection | None
    on_failure: AnyOnFailure | None
    name: str | None


class Step(ABC):
    """One thing that is done to the mail of a rule. Several run in one function, in the order of the rule's `steps`.

    A subclass says what it needs with its class attributes, checks its arguments in `__init__`, and hands its
    configuration over in `bind`. What runs is the function of the same name as `function`.
    """

    function: str
    """What runs: `MODULE:FUNCTION`, a module of `workmail_rules` and its function."""
    default_on_failure: ClassVar[OnFailure] = OnFailure.GO_ON
    guards: bool = False
    """Whether mail that the step did not see to must not be delivered; synth then warns of a fallback that delivers."""

    def __init__(
        self,
        *,
        senders: AnySenders = Senders.ALL,
        recipients: AnyRecipients = Recipients.ALL,
        direction: AnyDirection | None = None,
        on_failure: AnyOnFailure | None = None,
        name: str | None = None,
    ) -> None:
        """Set what all steps have.

        Args:
            senders: All senders, those inside or outside of the organization, or patterns (F4).
            recipients: All recipients, those inside or outside of the organization, or patterns (F4). An edit
                goes to the others as well: a message has one content.
            direction: Only for rules of this direction; in others the step is left out. By default for both.
            on_failure: What happens when the step cannot do its work; each step has its default.
            name: For logs, metrics and construct paths, unique in a rule: up to 64 letters, digits, `-` and `_`. By
                default the class's name. Renaming a step makes its resources anew.

        Raises:
            ValueError: A pattern or a word is not valid.
        """
        self.senders: Senders | tuple[Pattern, ...]
        if isinstance(senders, str):
            self.senders = one_of(Senders, senders, argument="senders")
        else:
            self.senders = tuple(patterns(senders, argument="senders"))
        self.recipients: Recipients | tuple[Pattern, ...]
        if isinstance(recipients, str):
            self.recipients = one_of(Recipients, recipients, argument="recipients")
        else:
            self.recipients = tuple(patterns(recipients, argument="recipients"))
        self.direction = None if direction is None else one_of(FlowDirection, direction, argument="direction")
        given = self.default_on_failure if on_failure is None else on_failure
        self.on_failure = one_of(OnFailure, given, argument="on_failure")
        self.name = type(self).__name__ if name is None else name
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"name: found {self.name!r}; a name begins with a letter and has up to 64 letters, digits, - and _"
            )

    @property
    def content_access(self) -> ContentAccess:
        """What the step does with message content; nothing by default."""
        return ContentAccess.NONE

    @property
    def decides(self) -> bool:
        """Whether the step may decide about delivery, which only a synchronous rule can (R10)."""
        return False

    @property
    def inbound_only(self) -> bool:
        """Whether the step may take an action that outbound mail does not have (R2)."""
        return False

    @property
    def needs_metrics(self) -> bool:
        """Whether somebody is to be told by a metric of the step, such as by the actions of an alarm on it."""
        return False

    @abstractmethod
    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Make what the step needs, grant what it does, and return the keyword arguments of its function.

        They are JSON values; text may be a token.
        """


def patterns(texts: Sequence[str], *, argument: str) -> Iterator[Pattern]:
    """Read patterns (F4).

    Raises:
        ValueError: A pattern is not valid, or the list is empty.
        TypeError: One string is given for a list.
    """
    if isinstance(texts, str):
        raise TypeError(f"{argument}: found the string {texts!r}; give a list of patterns: [{texts!r}]")
    if not texts:
        raise ValueError(f"{argument}: found an empty list, which is for nobody; leave {argument} out, or the step")
    for index, text in enumerate(texts):
        try:
            yield Pattern.parse(text)
        except PatternError as error:
            raise ValueError(f"{argument}[{index}]: {error}") from None
