"""A message over SMTP, judged by reading it line by line."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workmail_local.server.data_reader import DataReader

PIECES = [b"a", b".", b"\r\n", b"..", b"\r", b"\n", b"\r\n.", b"x" * 70_000, b".\r", b"\n.\n"]


def stuffed(message: bytes) -> bytes:
    """What a client sends (RFC 5321 section 4.5.2), made line by line."""
    lines = message.split(b"\r\n")
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in lines) + b"\r\n.\r\n"


async def received(sent: list[bytes]) -> tuple[bytes, int, bytes]:
    """Read as aiosmtpd does: the message, the number of reads, and what follows it."""
    reader = asyncio.StreamReader(limit=1024 * 1024)
    feeding = asyncio.create_task(_feed(reader, sent))
    data = DataReader(reader)
    blocks: list[bytes] = []
    while (block := await data.readuntil(b"\r\n")) != b".\r\n":
        blocks.append(block.removeprefix(b"."))
    await feeding
    return b"".join(blocks), len(blocks), await reader.read()


async def _feed(reader: asyncio.StreamReader, sent: list[bytes]) -> None:
    for piece in sent:
        reader.feed_data(piece)
        await asyncio.sleep(0)
    reader.feed_eof()


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), st.integers(1, 7))
def test_a_message_is_read_as_it_was_sent_however_it_arrives(message: bytes, size: int) -> None:
    whole = stuffed(message) + b"QUIT\r\n"
    step = max(size, len(whole) // 50)
    sent = [whole[start : start + step] for start in range(0, len(whole), step)]
    content, _, rest = asyncio.run(received(sent))
    assert (content, rest) == (message + b"\r\n", b"QUIT\r\n")


@pytest.mark.parametrize("line", [b"\r\n", b"..\r\n", b"a\r\n", b"x" * 998 + b"\r\n"], ids=len)
def test_the_number_of_reads_grows_with_the_bytes_and_not_with_the_lines(line: bytes) -> None:
    lines = 1024 * 1024 // len(line)
    content, reads, _ = asyncio.run(received([line * lines + b".\r\n"]))
    assert content == line.replace(b"..", b".") * lines
    assert reads < 40
