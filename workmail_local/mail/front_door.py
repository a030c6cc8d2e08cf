"""What stands in front of the rules: the limits of a message (F16) and Amazon SES (F15).

SES itself does not run here. Its verdict comes from the test strings that every mail filter knows, and from the verdict
headers that SES adds.

Messages come from strangers and have up to 40 MB: every check takes linear time and lets other threads go on.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from workmail_flow import limits
from workmail_local.mail.mime_part import parts_of
from workmail_local.mail.pieces import find, matches
from workmail_local.message_head import header_fields

_EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-" + rb"ANTIVIRUS-TEST-FILE!$H+H*"
# Base64 of its first 66 bytes: what an attachment that begins with it looks like.
_EICAR_BASE64 = base64.b64encode(_EICAR[:66])
_GTUBE = rb"XJS*C4JDBQADN1.NSBN3*2IDNEN*" + rb"GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
_SPAM_VERDICT: Final = "x-ses-spam-verdict"
_VIRUS_VERDICT: Final = "x-ses-virus-verdict"
_FAIL = re.compile(rb"FAIL\b", re.IGNORECASE)
_ATTACHMENT = re.compile(rb"^Content-Disposition:\s*+attachment\b", re.IGNORECASE | re.MULTILINE)
_MAX_ADDRESS_BYTES = 254
"""A path has 256 with its angle brackets (RFC 5321 section 4.5.3.1.3)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message is not accepted, as an SMTP reply."""

    code: int
    enhanced: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced} {self.text}"


def refuse(content: bytes, *, recipients: int) -> Refusal | None:
    """Return why WorkMail, or Amazon SES before it, does not accept the message; None if it does."""
    if recipients > limits.MAX_RECIPIENTS:
        return Refusal(452, "4.5.3", f"{recipients} recipients, {limits.MAX_RECIPIENTS} are allowed (F16)")
    if len(content) > limits.MAX_MIME_BYTES:
        return Refusal(552, "5.3.4", f"{len(content):,} bytes as MIME, {limits.MAX_MIME_BYTES:,} are allowed (F16)")
    if any(number > limits.MAX_ATTACHMENTS for number, _ in enumerate(matches(_ATTACHMENT, content), start=1)):
        return Refusal(552, "5.3.4", f"more than {limits.MAX_ATTACHMENTS} attachments (F16)")
    if len(content) > limits.MAX_CONTENT_BYTES and (size := _content_size(content)) > limits.MAX_CONTENT_BYTES:
        return Refusal(552, "5.3.4", f"{size:,} bytes of content, {limits.MAX_CONTENT_BYTES:,} are allowed (F16)")
    if _fails(content, _VIRUS_VERDICT) or _holds(content, _EICAR) or _holds(content, _EICAR_BASE64):
        return Refusal(554, "5.7.1", "Amazon SES blocks this message: known virus (F15)")
    return None


def envelope_address_problem(address: str) -> str | None:
    """Return why `address` cannot stand in an SMTP envelope, or None; checks only what RFC 5321 needs."""
    if not address.isprintable():
        return "holds a control character, or bytes that are not UTF-8"
    if not all(address.rpartition("@")):
        return "is not of the form mailbox@domain"
    if len(address.encode()) > _MAX_ADDRESS_BYTES:
        return f"is longer than {_MAX_ADDRESS_BYTES} bytes"
    return None


def is_spam(content: bytes) -> bool:
    """Return whether the spam check would call the message spam."""
    return _fails(content, _SPAM_VERDICT) or _holds(content, _GTUBE)


def header_block(content: bytes) -> bytes:
    """Return the headers of a message without the empty line after them; all of it if there is none."""
    ends = [end for line_break in (b"\n\r\n", b"\n\n") if (end := find(content, line_break)) >= 0]
    return content[: min(ends)].removesuffix(b"\r") if ends else content


def _fails(content: bytes, verdict: str) -> bool:
    return any(_FAIL.match(value) for _, value in header_fields(content, verdict))


def _holds(content: bytes, part: bytes) -> bool:
    return find(content, part) >= 0


def _content_size(content: bytes) -> int:
    """Return the bytes of all leaf parts, decoded."""
    return sum(len(part.decoded()) for part in parts_of(content) if part.is_leaf)
