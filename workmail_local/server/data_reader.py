"""Reads the lines that follow SMTP's DATA command, many at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio

_BLOCK_BYTES: Final = 64 * 1024


class DataReader:
    """Stands in for the reader of aiosmtpd's `smtp_DATA`, which handles one line after another.

    A message of 40 MB in empty lines would take it more than a minute and 3 GB, and hold up all other mail for seconds.
    Here a "line" is as many whole lines as have come, up to 64 KiB. The dots that a client has put before lines that
    begin with one (RFC 5321 section 4.5.2) are gone from all of them but the first, whose dot aiosmtpd removes.
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self.read = reader.read

    async def readuntil(self, separator: bytes) -> bytes:
        """Return at least one line with its separator, CRLF; the line of a lone dot comes by itself.

        Raises:
            asyncio.LimitOverrunError: A line is longer than the reader's limit.
        """
        line = await self._reader.readuntil(separator)
        # No public method says what has come already; aiosmtpd looks into the buffer as well.
        waiting: bytearray = self._reader._buffer  # type: ignore[attr-defined]  # noqa: SLF001
        if len(line) > _BLOCK_BYTES or line == b".\r\n" or waiting.startswith(b".\r\n"):
            return line
        end = waiting.find(b"\r\n.\r\n", 0, _BLOCK_BYTES)
        if end < 0:
            end = waiting.rfind(separator, 0, _BLOCK_BYTES)
        if end < 0:
            return line
        more = await self._reader.readexactly(end + len(separator))
        return (line + more).replace(b"\r\n.", b"\r\n")
