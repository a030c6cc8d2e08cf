"""Delivery status notifications (RFC 3464) for bounced recipients."""

from __future__ import annotations

import re
import textwrap
from base64 import encodebytes
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

from workmail_local.mail.front_door import header_block

if TYPE_CHECKING:
    from collections.abc import Sequence

POSTMASTER = "postmaster"
DEFAULT_TEXT = "The message was rejected by an email flow rule of the organization."

_NOT_IN_LINE = re.compile(r"[\s\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Bounce:
    """What one notification says.

    Args:
        flow_id: Flow of the bounced message; the notification's own ids are made from it.
        number: Distinguishes several notifications of one message.
        mail_from: Who is notified.
        recipients: Who did not get the message.
        text: The handler's bounce message (R3), or None.
        reporter: Domain that sends the notification.
        arrived_at: When the message was accepted, in seconds since the epoch.
        original: The bounced message; the notification holds its headers.
    """

    flow_id: str
    number: int
    mail_from: str
    recipients: Sequence[str]
    text: str | None
    reporter: str
    arrived_at: float
    original: bytes

    def to_bytes(self) -> bytes:
        """Return the notification: multipart/report with the text, the status of each recipient, and the headers."""
        text = self.text if self.text is not None else DEFAULT_TEXT
        arrived = format_datetime(datetime.fromtimestamp(self.arrived_at, tz=UTC))
        boundary = f"dsn-{self.flow_id}-{self.number}"
        needs_utf8 = not all(recipient.isascii() for recipient in self.recipients)
        kind = "global-delivery-status" if needs_utf8 else "delivery-status"  # RFC 6533
        address_type = "utf-8" if needs_utf8 else "rfc822"
        diagnostic = _NOT_IN_LINE.sub(" ", text).strip()
        ascii_diagnostic = (
            diagnostic if diagnostic.isascii() else diagnostic.encode("ascii", "backslashreplace").decode()
        )
        lines = [
            f"From: Mail Delivery Subsystem <{POSTMASTER}@{self.reporter}>",
            f"To: {self.mail_from}",
            "Subject: Delivery Status Notification (Failure)",
            f"Date: {arrived}",
            f"Message-ID: <{self.flow_id}.bounce-{self.number}@{self.reporter}>",
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            f'Content-Type: multipart/report; report-type={kind}; boundary="{boundary}"',
            "",
            f"--{boundary}",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: base64",
            "",
            *_base64_lines(f"{text}\r\n\r\nNot delivered to:\r\n" + "".join(f"  {one}\r\n" for one in self.recipients)),
            f"--{boundary}",
            f"Content-Type: message/{kind}",
            *(["Content-Transfer-Encoding: 8bit"] if needs_utf8 else []),
            "",
            f"Reporting-MTA: dns; {self.reporter}",
            f"Original-Envelope-Id: {self.flow_id}",
            f"Arrival-Date: {arrived}",
        ]
        for recipient in self.recipients:
            lines += [
                "",
                f"Final-Recipient: {address_type}; {recipient}",
                "Action: failed",
                "Status: 5.7.1",
                *_folded(f"Diagnostic-Code: smtp; 550 5.7.1 {ascii_diagnostic}"),
            ]
        headers = header_block(self.original)
        encoding = "7bit" if headers.isascii() else "8bit"
        lines += ["", f"--{boundary}", "Content-Type: text/rfc822-headers", f"Content-Transfer-Encoding: {encoding}"]
        lines += ["", ""]
        head = "\r\n".join(lines).encode("utf-8", "replace")
        return head + headers + f"\r\n--{boundary}--\r\n".encode()


def _base64_lines(text: str) -> list[str]:
    return encodebytes(text.encode("utf-8", "replace")).decode("ascii").splitlines()


def _folded(line: str, width: int = 76) -> list[str]:
    return textwrap.wrap(line, width, subsequent_indent=" ", break_long_words=True, break_on_hyphens=False)
