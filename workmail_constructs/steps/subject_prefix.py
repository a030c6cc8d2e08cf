"""A word before the subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack

from workmail_constructs.content_access import ContentAccess
from workmail_constructs.steps.step import Step, StepOptions
from workmail_constructs.steps.texts import check_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_constructs.steps.binding import StepBinding

MAX_PREFIX: Final = 30
"""Characters of a prefix as it is given: the editor looks for it behind reply markers in the first 40."""


class SubjectPrefix(Step):
    """Puts a word before the subject, unless a reader sees it there already.

    It counts at the start, and close behind "Re:", "AW:" and the like or a list's [tag]. A malformed message cannot
    have one: the step fails.
    """

    function = "workmail_rules.subject_prefix:run"

    def __init__(self, prefix: str, **options: Unpack[StepOptions]) -> None:
        """Set the prefix.

        Args:
            prefix: For example "[EXT]"; 30 characters at most. It may have the placeholder `{sender_domain}`; another
                sender's reply then gets a prefix of its own before it.
            **options: What all steps have; see `Step`.

        Raises:
            ValueError: The prefix is empty, too long, or has another placeholder.
        """
        super().__init__(**options)
        check_prefix("SubjectPrefix", prefix, longest=MAX_PREFIX, placeholders=("sender_domain",))
        self._configuration = {"prefix": prefix}

    @property
    def content_access(self) -> ContentAccess:
        """The step edits the message."""
        return ContentAccess.UPDATE

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Return the prefix."""
        return self._configuration
