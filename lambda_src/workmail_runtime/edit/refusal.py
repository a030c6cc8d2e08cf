"""Why a message was not edited."""

from __future__ import annotations

from enum import StrEnum


class EditRefusal(StrEnum):
    """The reasons for which an edit leaves a message as it came."""

    MALFORMED_HEADERS = "MALFORMED_HEADERS"
    """A header block has a line that is neither a field nor a continuation, or no field at all."""

    MALFORMED_MULTIPART = "MALFORMED_MULTIPART"
    """A multipart lacks its boundary, a delimiter or its closing delimiter, or can be read in two ways."""

    TOO_DEEP = "TOO_DEEP"
    """Multiparts are nested deeper than `mime_part.MAX_DEPTH`."""

    TOO_MANY_PARTS = "TOO_MANY_PARTS"
    """The message has more parts than `mime_part.MAX_PARTS`."""

    ENCRYPTED = "ENCRYPTED"
    """Nobody but the recipient can read the body: multipart/encrypted or S/MIME enveloped data."""

    SIGNED = "SIGNED"
    """The content lies inside its own signature: S/MIME signed data, or a part of a multipart/signed."""

    FIXED_STRUCTURE = "FIXED_STRUCTURE"
    """There is no text to write into, and programs act on the structure: a lone invitation, a fragment."""

    UNKNOWN_CHARSET = "UNKNOWN_CHARSET"
    """The new text needs a character set the body is not in, and the body's own cannot be told."""

    BROKEN_ENCODING = "BROKEN_ENCODING"
    """The body's transfer encoding is not known, or its content does not decode."""

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
