"""A text below the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from workmail_constructs.content_access import ContentAccess
from workmail_constructs.steps.step import Step, StepOptions
from workmail_constructs.steps.texts import check_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_constructs.steps.binding import StepBinding


class Footer(Step):
    """Shows a text below the body, in every alternative of it.

    Outbound mail that shows it already, as a reply that quotes one does, does not get it again. A message that is
    encrypted, signed as a whole or malformed cannot have one: the step fails.
    """

    function = "workmail_rules.footer:run"

    def __init__(
        self,
        text: str | None = None,
        *,
        html: str | None = None,
        repeat: bool = False,
        **options: Unpack[StepOptions],
    ) -> None:
        """Set the text.

        Args:
            text: Lines of plain text, which may have placeholders: `{sender}`, `{sender_domain}`, `{subject}` and
                `{date}`. By default derived from `html`.
            html: Markup for HTML bodies, each element closed, with the same placeholders between its tags. By default
                `text`, escaped.
            repeat: Whether outbound mail gets the footer also where it shows one already. Inbound mail always does,
                because its sender could keep the footer away by writing it.
            **options: What all steps have; see `Step`.

        Raises:
            ValueError: Neither text is given, or one cannot be shown as it is.
        """
        super().__init__(**options)
        check_texts("Footer", text, html)
        self._configuration = {"text": text, "html": html, "repeat": repeat}

    @property
    def content_access(self) -> ContentAccess:
        """The step edits the message."""
        return ContentAccess.UPDATE

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Return the texts."""
        return self._configuration
