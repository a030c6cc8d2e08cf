"""A machine translation beside the message's own text."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, Unpack

from aws_cdk import Stack
from aws_cdk.aws_iam import PolicyStatement

from workmail_constructs.content_access import ContentAccess
from workmail_constructs.stack_record import is_known
from workmail_constructs.steps.step import Step, StepOptions
from workmail_flow.words import one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_constructs.steps.binding import StepBinding

MIN_BYTES: Final = 1_000
MAX_BYTES: Final = 100_000
"""Twenty calls at most: as much as Amazon Translate takes in the time a function has (T1)."""

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")


class Place(StrEnum):
    """Where the translation stands."""

    ABOVE = "ABOVE"
    BELOW = "BELOW"


AnyPlace: TypeAlias = Place | Literal["ABOVE", "BELOW"]


class Translate(Step):
    """Shows a translation by Amazon Translate above or below the body, and before the subject.

    The source language is found out by the service. Mail that is in the wanted one already stays as it is. The service
    charges for each character that it gets.
    """

    function = "workmail_rules.translate:run"

    def __init__(
        self,
        into: str,
        *,
        place: AnyPlace = Place.ABOVE,
        subject: bool = True,
        max_bytes: int = 30_000,
        heading: str = "Machine translation:",
        **options: Unpack[StepOptions],
    ) -> None:
        """Set the language.

        Args:
            into: The wanted language, by a code of Amazon Translate: "en", "zh-TW".
            place: Where the translation stands.
            subject: Whether the translated subject is put before the message's own.
            max_bytes: How much of a body is translated, in bytes of UTF-8; from 1,000 to 100,000. A translation that
                ends before the text does says so. By default what takes a few seconds.
            heading: Stands above the translation, so that readers know whose words these are.
            **options: What all steps have; see `Step`.

        Raises:
            ValueError: An argument is not one of those that are allowed; lists all of them.
        """
        super().__init__(**options)
        problems = []
        if is_known(into) and not _LANGUAGE.fullmatch(into):
            problems.append(f'into: found {into!r}; give a code of Amazon Translate, for example "en" or "zh-TW"')
        if not MIN_BYTES <= max_bytes <= MAX_BYTES:
            problems.append(f"max_bytes: found {max_bytes:,}; allowed are {MIN_BYTES:,} to {MAX_BYTES:,}")
        if not heading.strip():
            problems.append("heading: found an empty text; say that what follows is a translation")
        if problems:
            raise ValueError(f"Translate: {'; '.join(problems)}")
        self._configuration = {
            "into": into,
            "above": one_of(Place, place, argument="place") is Place.ABOVE,
            "subject": subject,
            "max_bytes": max_bytes,
            "heading": heading,
        }

    @property
    def content_access(self) -> ContentAccess:
        """The step edits the message."""
        return ContentAccess.UPDATE

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Grant the call, and that by which Amazon Translate finds out the language, in the stack's Region."""
        binding.grant(
            [
                PolicyStatement(
                    actions=["comprehend:DetectDominantLanguage", "translate:TranslateText"],
                    resources=["*"],
                    conditions={"StringEquals": {"aws:RequestedRegion": Stack.of(binding.rule).region}},
                )
            ]
        )
        return self._configuration
