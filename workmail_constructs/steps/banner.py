"""A text above the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from workmail_constructs.content_access import ContentAccess
from workmail_constructs.steps.step import Step, StepOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_constructs.steps.binding import StepBinding


class Banner(Step):
    """Shows a text above the body, in every alternative of it."""

    function = "workmail_rules.banner:run"

    def __init__(self, text: str, *, html: str | None = None, **options: Unpack[StepOptions]) -> None:
        """Set the text.

        Args:
            text: Lines of plain text; HTML bodies get it escaped.
            html: What HTML bodies get instead.
            **options: What all steps have; see `Step`.

        Raises:
            ValueError: The text is empty.
        """
        super().__init__(**options)
        if not text.strip():
            raise ValueError("Banner: found an empty text; give the text to show")
        self._configuration = {"text": text, "html": html}

    @property
    def content_access(self) -> ContentAccess:
        """The step edits the message."""
        return ContentAccess.UPDATE

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Return the texts."""
        return self._configuration
