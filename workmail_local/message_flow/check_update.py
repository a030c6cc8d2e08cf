"""What PutRawMessageContent refuses in an updated message (C8), checked without the runtime's own editor.

The handler runtime has its own checks. These share no code with them and follow the documented rules alone, so a
mistake in the runtime shows here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workmail_flow import limits
from workmail_flow.assumptions import IMMUTABLE_HEADERS, REQUIRED_HEADERS
from workmail_flow.updated_content import UNIQUE_HEADERS, UNSUPPORTED_EXTENSIONS
from workmail_local.decode_encoded_words import decode_encoded_words
from workmail_local.mail.mime_part import parts_of
from workmail_local.mail.pieces import matches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_local.mail.mime_part import MimePart

_MOST_FAULTS = 200
"""Faults that are reported: whoever gets more has seen enough."""

# One byte too long with its CRLF. The line break in front lets the search jump from line to line.
_LONG_LINE = re.compile(rb"\n[^\r\n]{%d}" % (limits.MAX_LINE_BYTES - 1))


@dataclass(frozen=True, slots=True)
class UpdateFindings:
    """What was found in an updated message: reasons to refuse it, and advice that is none."""

    refused: tuple[str, ...]
    advice: tuple[str, ...]


def check_update(updated: bytes, *, original: bytes) -> UpdateFindings:
    """Check `updated` by C8 against the message as it came in; report every fault, not only the first."""
    parts = parts_of(updated)
    refused = [*_limit_faults(updated), *_header_faults(parts[0], parts_of(original)[0])]
    advice: list[str] = []
    for part in parts:
        refused.extend(f"{part.name}: {fault}" for fault in part.faults)
        name = part.file_name
        if name is not None and _extension(name) in UNSUPPORTED_EXTENSIONS:
            refused.append(
                f"{part.name}: Amazon SES does not accept attachments with the extension .{_extension(name)}"
            )
        is_text = not part.content_type.startswith(("multipart/", "message/"))
        if is_text and not part.payload.isascii():
            advice.append(f"{part.name}: content outside of 7-bit ASCII should be encoded (quoted-printable or base64)")
    return UpdateFindings(_bounded(refused), _bounded(advice))


def _bounded(faults: list[str]) -> tuple[str, ...]:
    more = len(faults) - _MOST_FAULTS
    return (*faults[:_MOST_FAULTS], f"and {more:,} more") if more > 0 else tuple(faults)


def _limit_faults(updated: bytes) -> Iterator[str]:
    if len(updated) > limits.MAX_MIME_BYTES:
        yield f"the message has {len(updated):,} bytes, {limits.MAX_MIME_BYTES:,} are allowed"
    long_line = _LONG_LINE.match(b"\n" + updated[: limits.MAX_LINE_BYTES]) or next(matches(_LONG_LINE, updated), None)
    if long_line:
        line = 1 if long_line.string is not updated else updated.count(b"\n", 0, long_line.end()) + 1
        yield f"line {line} is longer than {limits.MAX_LINE_BYTES:,} bytes with its CRLF (RFC 5321 section 4.5.3.1.6)"


def _header_faults(part: MimePart, before: MimePart) -> Iterator[str]:
    for name in REQUIRED_HEADERS:
        if not part.values(name):
            yield f"required header {name.title()} is missing"
    for name in UNIQUE_HEADERS:
        # Two From lines may have been there before the update; the service counts them all the same (C9).
        if (count := len(part.values(name))) > 1:
            yield f"header {name.title()} may appear once and appears {count} times"
    for name in IMMUTABLE_HEADERS:
        now, then = _words(part, name), _words(before, name)
        if now != then:
            change = "added" if not then else "removed" if not now else "changed"
            yield f"immutable header {name.title()} was {change}"


def _words(part: MimePart, name: str) -> list[str]:
    return [" ".join(decode_encoded_words(value).split()) for value in part.values(name)]


def _extension(name: str) -> str:
    return name.rpartition(".")[2].strip().lower() if "." in name else ""
