"""What stands in front of the rules: the limits of a message (F16) and Amazon SES (F15).

SES itself does not run here. Its verdict comes from the test strings that every mail filter knows, and from the verdict
headers that SES adds.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from email import message_from_bytes

from workmail_flow import limits

_EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-" + rb"ANTIVIRUS-TEST-FILE!$H+H*"
# Base64 of its first 66 bytes: what an attachment that begins with it looks like.
_EICAR_BASE64 = base64.b64encode(_EICAR[:66])
_GTUBE = rb"XJS*C4JDBQADN1.NSBN3*2IDNEN*" + rb"GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
_SPAM_VERDICT = re.compile(rb"^X-SES-Spam-Verdict:\s*FAIL\b", re.IGNORECASE | re.MULTILINE)
_VIRUS_VERDICT = re.compile(rb"^X-SES-Virus-Verdict:\s*FAIL\b", re.IGNORECASE | re.MULTILINE)
_ATTACHMENT = re.compile(rb"^Content-Disposition:\s*attachment\b", re.IGNORECASE | re.MULTILINE)
_MAX_ADDRESS_BYTES = 254
"""A path has 256 with its angle brackets (RFC 5321 section 4.5.3.1.3)."""
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


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
    if len(_ATTACHMENT.findall(content)) > limits.MAX_ATTACHMENTS:
        return Refusal(552, "5.3.4", f"more than {limits.MAX_ATTACHMENTS} attachments (F16)")
    if len(content) > limits.MAX_CONTENT_BYTES and (size := _content_size(content)) > limits.MAX_CONTENT_BYTES:
        return Refusal(552, "5.3.4", f"{size:,} bytes of content, {limits.MAX_CONTENT_BYTES:,} are allowed (F16)")
    if _VIRUS_VERDICT.search(header_block(content)) or _EICAR in content or _EICAR_BASE64 in content:
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
    return _SPAM_VERDICT.search(header_block(content)) is not None or _GTUBE in content


def header_block(content: bytes) -> bytes:
    """Return the headers of a message without the empty line after them; all of it if there is none."""
    end = _END_OF_HEADERS.search(content)
    return content[: end.start()] if end else content


def _content_size(content: bytes) -> int:
    """Return the bytes of all decoded leaf parts."""
    return sum(
        len(part.get_payload(decode=True) or b"")
        for part in message_from_bytes(content).walk()
        if not part.is_multipart()
    )
