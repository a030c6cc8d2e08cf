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
# The character sets of mail in which ASCII text is ASCII bytes, by Python's names. Python knows more, for other uses:
# raw_unicode_escape, punycode, utf-7, EBCDIC. Mail programs read those in other ways or not at all.
_OF_MAIL = frozenset({
    "ascii", "utf-8", "gb2312", "gbk", "gb18030", "big5", "big5hkscs", "cp950", "euc_jp", "iso2022_jp", "iso2022_jp_1",
    "iso2022_jp_2", "iso2022_jp_3", "shift_jis", "cp932", "euc_kr", "cp949", "koi8-r", "koi8-u", "tis-620", "cp437",
    "cp850", "cp852", "cp855", "cp858", "cp866", "cp874", "mac-roman", "mac-cyrillic", "mac-greek", "mac-latin2",
    *(f"iso8859-{number}" for number in (*range(1, 12), *range(13, 17))), *(f"cp125{digit}" for digit in range(9)),
})  # fmt: skip


def find_codec(label: str | None) -> str | None:
    """Python's name of the character set a part declares; None where it is not one of mail that extends ASCII.

    A part without a label is US-ASCII (RFC 2045 section 5.2). UTF-16 and UTF-32 do not extend ASCII.
    """
    if label is None:
        return "ascii"
    wanted = label.strip(" \t\r\n\"'").lower()
    try:
        codec = codecs.lookup(_ALIASES.get(wanted, wanted)).name
    except (LookupError, ValueError):
        return None
    return codec if codec in _OF_MAIL else None


def is_stateful(codec: str) -> bool:
    """Whether escape sequences switch what a byte means, as in ISO-2022-JP; a text begins in ASCII."""
    return codec.startswith("iso2022")


def decode_text(octets: bytes, codec: str) -> str:
    """Text as mail programs show it: strict, but a character set's usual superset is read.

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
        try:  # Windows-1252 under the label of Latin-1: programs show its quotes and dashes
            return octets.decode("cp1252")
        except UnicodeDecodeError:
            return text
    return text
