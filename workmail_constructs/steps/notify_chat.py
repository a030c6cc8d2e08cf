"""A post in a chat."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Unpack

from workmail_constructs.content_access import ContentAccess
from workmail_constructs.steps.secret_right import secret_right
from workmail_constructs.steps.step import Step, StepOptions
from workmail_flow.updated_content import FIELD_NAME_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workmail_constructs.interfaces import AnySecret
    from workmail_constructs.steps.binding import StepBinding
    from workmail_constructs.steps.chat import Chat

_FIELD_NAME: Final = re.compile(FIELD_NAME_PATTERN)


class NotifyChat(Step):
    """Posts in a chat about a message, once per invocation: Slack, Microsoft Teams, or any webhook."""

    function = "workmail_rules.notify_chat:run"

    def __init__(
        self,
        chat: Chat,
        *,
        webhook: AnySecret,
        subject_words: Sequence[str] = (),
        sender_words: Sequence[str] = (),
        header_words: Mapping[str, Sequence[str]] | None = None,
        **options: Unpack[StepOptions],
    ) -> None:
        """Set what is posted, and about which messages.

        A filter finds whole words, whatever their case, and is met by one of its words. All filters have to be met.

        Args:
            chat: `Slack(…)`, `Teams(…)` or `Webhook(…)`, with what is posted.
            webhook: A secret whose text is the webhook's https URL; the function reads it at most every five minutes.
            subject_words: Words in the subject, in its first 256 characters (E5).
            sender_words: Words in the sender's address, or in that of who sent on behalf (E3).
            header_words: Words in header fields, by the field's name; needs message content.
            **options: What all steps have; see `Step`.

        Raises:
            ValueError: A word is empty, or a header field has no such name.
            TypeError: One string where a list of words is needed.
        """
        super().__init__(**options)
        by_header = dict(header_words or {})
        problems = []
        named = {f"header_words[{name!r}]": words for name, words in by_header.items()}
        for argument, words in {"subject_words": subject_words, "sender_words": sender_words, **named}.items():
            if isinstance(words, str):
                raise TypeError(
                    f"NotifyChat: {argument}: found the string {words!r}; give a list of words: [{words!r}]"
                )
            if not all(word.strip() for word in words) or (argument in named and not words):
                problems.append(f"{argument}: found an empty word or none; give the words to find")
        if wrong := [name for name in by_header if not _FIELD_NAME.fullmatch(name)]:
            problems.append(f"header_words: found {', '.join(map(repr, wrong))}; that is no name of a header field")
        if problems:
            raise ValueError("NotifyChat: " + "; ".join(problems))
        self._webhook = webhook
        self._reads_header = bool(by_header)
        self._configuration = {
            "document": chat.configuration(),
            "subject_words": [word.strip() for word in subject_words],
            "sender_words": [word.strip() for word in sender_words],
            "header_words": {name: [word.strip() for word in words] for name, words in by_header.items()},
        }

    @property
    def content_access(self) -> ContentAccess:
        """The step reads the message if it looks for words in its header."""
        return ContentAccess.READ if self._reads_header else ContentAccess.NONE

    def bind(self, binding: StepBinding) -> Mapping[str, object]:
        """Allow the function to read the secret."""
        binding.use_once()
        binding.grant(secret_right(self._webhook, binding.record))
        return {**self._configuration, "webhook": self._webhook.secret_arn}
