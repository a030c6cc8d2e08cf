"""Encoded words (RFC 2047), decoded in linear time whoever wrote them."""

from __future__ import annotations

import binascii
import re
from typing import Final

from workmail_local.charset import codec_of, decode

# No part may hold a "?": each match attempt ends at the fourth one, which keeps the search linear.
_WORD: Final = re.compile(r"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bBqQ])\?([ ->@-~]*)\?=")


def decode_encoded_words(text: str) -> str:
    """Decode the encoded words of an unfolded header field; never fails.

    White space between two encoded words is dropped (section 6.2). A word with an unknown character set or broken
    base64 stays as it is; a broken character becomes U+FFFD or "?".
    """
    decoded: list[str] = []
    charset, octets = "ascii", bytearray()  # of adjacent words, which may share a character between them
    end = 0  # of the last encoded word
    for match in _WORD.finditer(text):
        codec, content = codec_of(match[1]), _octets(match[2], match[3])
        if codec is None or content is None:
            continue
        between = text[end : match.start()]
        adjacent = end and not between.strip()
        if not adjacent or codec != charset:
            decoded.append(decode(octets, charset, otherwise="ascii"))
            charset, octets = codec, bytearray()
        if not adjacent:
            decoded.append(between)
        octets += content
        end = match.end()
    return "".join([*decoded, decode(octets, charset, otherwise="ascii"), text[end:]])


def _octets(encoding: str, content: str) -> bytes | None:
    if encoding in "qQ":
        return binascii.a2b_qp(content, header=True)
    try:
        return binascii.a2b_base64(content + "==")
    except binascii.Error:
        return None
