"""Which Python codec reads a declared character set, and what may be assumed of it."""

from __future__ import annotations

import codecs

# Labels that real mail uses and Python does not know; and those whose text regularly holds more than the label says.
_ALIASES = {
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "windows-874": "cp874",
    "x-sjis": "shift_jis",
    "x-gbk": "gbk",
    "x-euc-jp": "euc_jp",
    "x-mac-roman": "mac_roman",
    "utf-8mb4": "utf-8",
    "utf-8-sig": "utf-8",
}
_READ_AS = {"gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932"}
_WIDE = ("utf-16", "utf-32")
_PROBE = "\r\n <!--=A>"


def find_codec(label: str | None) -> str | None:
    """Python's name of the character set a part declares; None where it is not known or not one for mail.

    A part without a label is US-ASCII (RFC 2045 section 5.2).
    """
    if label is None:
        return "ascii"
    wanted = label.strip(" \"'").lower()
    try:
        codec = codecs.lookup(_ALIASES.get(wanted, wanted)).name
        return codec if is_wide(codec) or _PROBE.encode(codec) == _PROBE.encode("ascii") else None
    except (LookupError, ValueError):
        return None


def is_wide(codec: str) -> bool:
    """Whether ASCII text is not written as ASCII bytes: UTF-16 and UTF-32."""
    return codec.startswith(_WIDE)


def is_stateful(codec: str) -> bool:
    """Whether escape sequences switch what a byte means, as in ISO-2022-JP; lines begin and end in ASCII."""
    return codec.startswith(("iso2022", "hz", "utf-7"))


def decode_text(octets: bytes, codec: str) -> str:
    """Text as mail clients show it: strict, but a character set's usual superset is read.

    Raises:
        UnicodeDecodeError: The bytes are not in this character set.
    """
    try:
        text = octets.decode(codec)
    except UnicodeDecodeError:
        if codec not in _READ_AS:
            raise
        return octets.decode(_READ_AS[codec])
    if codec == "iso8859-1" and any("\x80" <= character <= "\x9f" for character in text):
        try:  # Windows-1252 under the label of Latin-1: clients show its quotes and dashes
            return octets.decode("cp1252")
        except UnicodeDecodeError:
            return text
    return text
