"""`FindSensitive`: card numbers, IBANs and what own patterns find must not leave unseen."""

from __future__ import annotations

import re
from functools import cache

from workmail_rules.message_texts import texts_of
from workmail_rules.sensitive_numbers import has_card_number, has_iban

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from workmail_rules.message import Message


def run(
    message: Message,
    *,
    cards: bool,
    ibans: bool,
    patterns: Mapping[str, str],
    decision: Mapping[str, Any] | None,
    tag: str | None,
    reviewers: tuple[str, ...],
) -> None:
    """Look for what is sensitive; decide about the message, tag it, or send it to the reviewers too."""
    wanted = _searches(cards=cards, ibans=ibans, patterns=tuple(patterns.items()))
    found = _found(message.raw, wanted)
    if not found:
        return
    # What kind, and never what.
    message.note(f"found: {', '.join(found)}")
    message.count("Found")
    if tag is not None:
        message.editor.prefix_subject(tag)
    if decision is not None:
        message.decide(**decision)
    message.copy_to(reviewers)


def _found(raw: bytes, wanted: Mapping[str, Callable[[str], object]]) -> list[str]:
    """Return which of the searches find something; the message is read until all have."""
    missing = dict(wanted)
    texts = texts_of(raw)
    try:
        for text in texts:
            missing = {name: search for name, search in missing.items() if not search(text)}
            if not missing:
                break
    except Exception:
        # What was found before counts, whatever is behind it.
        if len(missing) == len(wanted):
            raise
    return [name for name in wanted if name not in missing]


@cache
def _searches(*, cards: bool, ibans: bool, patterns: tuple[tuple[str, str], ...]) -> dict[str, Callable[[str], object]]:
    searches: dict[str, Callable[[str], object]] = {}
    if cards:
        searches["card"] = has_card_number
    if ibans:
        searches["iban"] = has_iban
    return searches | {name: re.compile(pattern).search for name, pattern in patterns}
