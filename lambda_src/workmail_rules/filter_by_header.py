"""`FilterByHeader`: what an upstream gateway wrote into a header decides."""

from __future__ import annotations

import re

from workmail_rules.step_errors import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from workmail_rules.message import Message

MAX_CHARACTERS: Final = 16 * 1024
"""How much of a message's headers of one name is searched: a pattern may take quadratic time."""


def run(
    message: Message,
    *,
    header: str,
    pattern: str,
    authserv_id: str | None,
    matched: Mapping[str, str] | None,
    otherwise: Mapping[str, str] | None,
    missing: Mapping[str, str] | None,
) -> None:
    """Decide by whether the pattern is found in a header field with this name.

    Raises:
        StepError: The fields are longer than `MAX_CHARACTERS`.
    """
    values = message.parsed.headers(header)
    if authserv_id is not None:
        values = _trusted(values, authserv_id)
    if sum(map(len, values)) > MAX_CHARACTERS:
        error = f"the header has more than {MAX_CHARACTERS:,} characters in {len(values)} fields"
        raise StepError(error)
    if not values:
        found, decision = "no such header", missing
    elif any(re.search(pattern, value) for value in values):
        found, decision = "header matches", matched
    else:
        found, decision = "header does not match", otherwise
    message.note(found)
    if decision is not None:
        message.decide(**decision)


def _trusted(values: list[str], authserv_id: str) -> list[str]:
    """Return the topmost Authentication-Results of a server.

    Servers write theirs above what they got (RFC 8601 section 4.1), so one further down may be the sender's own.
    """
    return [value for value in values if _authserv_id(value) == authserv_id.lower()][:1]


def _authserv_id(value: str) -> str:
    """Return who wrote a field: its first word (RFC 8601 section 2.2). A comment before it is nobody's name."""
    words = value.partition(";")[0].split()
    return words[0].strip('"').lower() if words else ""
