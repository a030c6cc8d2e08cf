"""What C8 leaves to other documents about an updated message: headers, and the attachments that SES takes."""

from __future__ import annotations

# Not typing.TYPE_CHECKING: a handler that edits loads this module, and `typing` would cost it more.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

UNIQUE_HEADERS: Final = (
    # RFC 5322 section 3.6.
    *("bcc", "cc", "date", "from", "in-reply-to", "message-id", "references", "reply-to", "sender", "subject", "to"),
    # RFC 2045 sections 4 to 6.
    *("content-transfer-encoding", "content-type", "mime-version"),
)
"""Headers that a message has once at most, in lower case."""

FIELD_NAME_PATTERN: Final = "[!-9;-~]{1,76}"
"""The name of a header field (RFC 5322 section 3.6.8) that fits on a line with its colon."""

_EXTENSIONS = """
    ade adp app asp bas bat cer chm cmd com cpl crt csh der exe fxp gadget hlp hta inf ins isp its js jse ksh
    lib lnk mad maf mag mam maq mar mas mat mau mav maw mda mdb mde mdt mdw mdz msc msh msh1 msh1xml msh2
    msh2xml mshxml msi msp mst ops pcd pif plg prf prg ps1 ps1xml ps2 ps2xml psc1 psc2 reg scf scr sct shb shs
    sys tmp url vb vbe vbs vps vsmacros vss vst vsw vxd ws wsc wsf wsh xnk
"""
UNSUPPORTED_EXTENSIONS: Final = frozenset(_EXTENSIONS.split())
"""File name extensions of attachments that Amazon SES refuses (its Developer Guide, unsupported attachment types)."""
