"""Card numbers, IBANs and what own patterns find, before they leave."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Unpack

from workmail_constructs.content_access import ContentAccess
from workmail_constructs.steps.decision import Bounce, Drop
from workmail_constructs.steps.plain_addresses import address_problems, require_own_copies
from workmail_constructs.steps.regular_expression import checked_expression
from workmail_constructs.steps.step import OnFailure, Step, StepOptions
from workmail_flow.vocabulary import FlowDirection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from workmail_constructs.steps.binding import StepBinding

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_RESERVED: Final = ("card", "iban")


class FindSensitive(Step):
    """Looks for card numbers, IBANs and what own patterns find, and refuses the message or has it reviewed.

    It reads the subject, the plain and HTML text, text attachments and attached messages. By default it is for outbound
    rules only.
    """

    function = "workmail_rules.find_sensitive:run"
    default_on_failure = OnFailure.FAIL
    guards = True

    def __init__(
        self,
        *,
        cards: bool = True,
        ibans: bool = True,
        patterns: Mapping[str, str] | None = None,
        then: Bounce | Drop | None = None,
        tag: str | None = None,
        reviewers: Sequence[str] = (),
        **options: Unpack[StepOptions],
    ) -> None:
        """Set what is sensitive and what happens to it.

        Args:
            cards: Whether to look for card numbers: an issuer's prefix and length, and Luhn's check digit.
            ibans: Whether to look for IBANs: a country's length, and the check digits.
            patterns: Own regular expressions, searched in the text, by a name for the log. Case counts; begin one with
                `(?i)` if it should not. A pattern that hostile mail could keep busy is refused.
            then: `Bounce(text)` or `Drop()`; the message goes on without it.
            tag: Put before the subject, if the message goes on.
            reviewers: Addresses that get a copy, as Bcc; inbound only the organization's own (R6).
            **options: What all steps have; see `Step`. `direction=None` makes it for both directions. By default a
                message that cannot be read fails the invocation.

        Raises:
            ValueError: An argument is not as described; every problem is named.
            TypeError: One string where a list of addresses is needed.
        """
        options.setdefault("direction", FlowDirection.OUTBOUND)
        super().__init__(**options)
        self._patterns = dict(patterns or {})
        problems = [
            *_pattern_problems(self._patterns),
            *address_problems(reviewers, argument="reviewers"),
        ]
        if not (cards or ibans or self._patterns):
            problems.append("cards, ibans, patterns: found nothing to look for; leave one of the first two on")
        if then is None and tag is None and not reviewers:
            problems.append("then, tag, reviewers: found none; say what happens to a message with something sensitive")
        if then is not None and tag is not None:
            problems.append("then, tag: found both, but nobody sees the tag of refused mail; give one of them")
        if then is not None and not isinstance(then, Bounce | Drop):
            problems.append(f"then: found {then!r}; give Bounce or Drop, or tag and reviewers for mail that goes on")
        if tag is not None and (not tag.strip() or not tag.isprintable()):
            problems.append(f"tag: found {tag!r}; give one line of text, such as [SENSITIVE]")
        if problems:
            raise ValueError("\n".join(["FindSensitive:", *(f"  {problem}" for problem in problems)]))
        self._cards = cards
        self._ibans = ibans
        self._then = then
        self._tag = tag
        self._reviewers = tuple(reviewers)

    @property
    def content_access(self) -> ContentAccess:
        """The step reads the message, and edits it for a tag."""
        return ContentAccess.READ if self._tag is None else ContentAccess.UPDATE

    @property
    def decides(self) -> bool:
        """The step decides about delivery, or sends copies, which only a synchronous rule can too (R10)."""
        return True

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Return what to look for.

        Raises:
            ValueError: An inbound rule whose copies would leave the organization (R6).
        """
        require_own_copies(self._reviewers, binding, argument="reviewers")
        return {
            "cards": self._cards,
            "ibans": self._ibans,
            "patterns": self._patterns,
            "decision": None if self._then is None else self._then.configuration(),
            "tag": self._tag,
            "reviewers": self._reviewers,
        }


def _pattern_problems(patterns: Mapping[str, str]) -> Iterator[str]:
    for name, text in patterns.items():
        argument = f"patterns[{name!r}]"
        if not _NAME.fullmatch(name) or name in _RESERVED:
            yield f"{argument}: a name has 1 to 64 letters, digits, _ and -, and is none of {', '.join(_RESERVED)}"
        try:
            expression = re.compile(checked_expression(text, argument=argument))
        except ValueError as error:
            yield str(error)
            continue
        if expression.search(""):
            yield f"{argument}: found {text!r}, which matches any message; let it match one character at least"
