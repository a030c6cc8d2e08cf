"""Why a message was not edited."""

from __future__ import annotations

from enum import StrEnum


class EditRefusal(StrEnum):
    """The reasons for which an edit leaves a message as it came."""

    MALFORMED_HEADERS = "MALFORMED_HEADERS"
    """A header block has a line that is neither a field nor a continuation, or no field at all."""

    MALFORMED_MULTIPART = "MALFORMED_MULTIPART"
    """A multipart lacks its boundary, a delimiter or its closing delimiter, or can be read in two ways."""

    HEADER_TOO_LARGE = "HEADER_TOO_LARGE"
    """The header blocks have more fields than `reading.MAX_FIELDS` or bytes than `reading.MAX_HEADER_BYTES`."""

    TOO_DEEP = "TOO_DEEP"
    """Multiparts are nested deeper than `reading.MAX_DEPTH`, or so that much of the message lies in many of them."""

    TOO_MANY_PARTS = "TOO_MANY_PARTS"
    """The message has more parts than `reading.MAX_PARTS`."""

    ENCRYPTED = "ENCRYPTED"
    """Nobody but the recipient can read the body: multipart/encrypted or S/MIME enveloped data."""

    SIGNED = "SIGNED"
    """The content lies inside its own signature: S/MIME signed data, or a part of a multipart/signed."""

    FIXED_STRUCTURE = "FIXED_STRUCTURE"
    """There is no text to write into, and programs act on the structure: a lone invitation, a fragment."""

    IMMUTABLE_HEADER = "IMMUTABLE_HEADER"
    """WorkMail refuses a message in which this header changed (C8)."""


class EditRefusedError(Exception):
    """An edit that cannot be made safely; the message stays exactly as it was before the call.

    Attributes:
        reason: The kind of reason, to decide on.
        detail: What was found and where; holds no text of the message's body.
    """

    def __init__(self, reason: EditRefusal, detail: str) -> None:
        super().__init__(f"{reason}: {detail}; the message is left as it was")
        self.reason = reason
        self.detail = detail
