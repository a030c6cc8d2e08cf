"""The difference between two versions of a message, for people: decoded text, and hashes of binary parts."""

from __future__ import annotations

import hashlib
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final

from workmail_local.decode_encoded_words import decode_encoded_words
from workmail_local.mail.mime_part import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_local.mail.mime_part import MimePart

_LONGEST_TEXT: Final = 256 * 1024
"""Bytes of a text part that is compared line by line; longer ones take too long and nobody reads them."""

_MOST_LINES: Final = 10_000
"""Lines of a message that are compared."""

_MOST_PAIRS: Final = 250_000
"""Pairs of an old and a new line that are compared, as in 500 lines each: comparing can take quadratic time."""


def diff_messages(before: bytes, after: bytes) -> str:
    """Return a unified diff of two versions of a message; "" if their bytes are equal.

    For more than 10,000 lines it gives the sizes alone.
    """
    if before == after:
        return ""
    sizes = f"{len(before):,} bytes before, {len(after):,} bytes after"
    old, new = _rendered(before), _rendered(after)
    if max(len(old), len(new)) > _MOST_LINES:
        return f"changed, with too many lines to compare: {sizes}"
    hunks = list(_hunks(old, new))
    if not hunks:
        return f"headers and bodies read the same; folding or encoding changed: {sizes}"
    return "\n".join([f"--- before ({len(before):,} bytes)", f"+++ after ({len(after):,} bytes)", *hunks])


def _hunks(old: list[str], new: list[str]) -> Iterator[str]:
    """Yield what `difflib.unified_diff` does after its first two lines."""
    start = equal_end = 0
    if len(old) * len(new) > _MOST_PAIRS:
        start = _equal_lines(old, new)
        equal_end = _equal_lines(old[start:][::-1], new[start:][::-1])
    old_end, new_end = len(old) - equal_end, len(new) - equal_end
    if old[start:old_end] == new[start:new_end]:
        return
    changed: list[tuple[str, int, int, int, int]] = [("replace", start, old_end, start, new_end)]
    if (old_end - start) * (new_end - start) <= _MOST_PAIRS:
        inner = SequenceMatcher(None, old[start:old_end], new[start:new_end]).get_opcodes()
        changed = [(tag, start + i1, start + i2, start + j1, start + j2) for tag, i1, i2, j1, j2 in inner]
    matcher: Any = SequenceMatcher(None, "", "")  # its type does not show `opcodes`
    matcher.opcodes = [
        *([("equal", 0, start, 0, start)] if start else []),
        *changed,
        *([("equal", old_end, len(old), new_end, len(new))] if equal_end else []),
    ]
    for group in matcher.get_grouped_opcodes(3):
        (_, first_old, _, first_new, _), (_, _, last_old, _, last_new) = group[0], group[-1]
        yield f"@@ -{_range(first_old, last_old)} +{_range(first_new, last_new)} @@"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (f" {line}" for line in old[i1:i2])
            else:
                yield from (f"-{line}" for line in old[i1:i2])
                yield from (f"+{line}" for line in new[j1:j2])


def _equal_lines(old: list[str], new: list[str]) -> int:
    return next(
        (number for number, (one, other) in enumerate(zip(old, new, strict=False)) if one != other),
        min(len(old), len(new)),
    )


def _range(start: int, stop: int) -> str:
    """Return a range of lines as a unified diff writes it."""
    return f"{start + 1}" if stop - start == 1 else f"{start + 1 if stop > start else start},{stop - start}"


def _rendered(message: bytes) -> list[str]:
    return [line for part in parts_of(message) for line in _part_lines(part)]


def _part_lines(part: MimePart) -> Iterator[str]:
    if part.name != "message":
        yield f"--- {part.name} ---"
    for name, value in part.headers:
        readable = value.encode("latin-1").decode("utf-8", "replace")
        yield f"{name}: {decode_encoded_words(' '.join(readable.split()))}"
    yield ""
    if not part.is_leaf:
        return
    content_type, content = part.content_type, part.decoded()
    if content_type.startswith("text/") and len(content) <= _LONGEST_TEXT:
        yield from part.text(_LONGEST_TEXT).splitlines()
    else:
        yield f"[{content_type}, {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()[:16]}]"
