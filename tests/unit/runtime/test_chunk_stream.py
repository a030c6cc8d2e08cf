from __future__ import annotations

import io

import pytest

from workmail_runtime.chunk_stream import ChunkStream

CHUNKS = (b"Hello", bytearray(b", "), b"", memoryview(b"world"))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_reads_as_one(size: int) -> None:
    stream = ChunkStream(CHUNKS)
    assert b"".join(iter(lambda: stream.read(size), b"")) == b"Hello, world"
    assert stream.tell() == 12


@pytest.mark.parametrize("offset", range(14))
def test_seeks_like_a_file(offset: int) -> None:
    stream, file = ChunkStream(CHUNKS), io.BytesIO(b"Hello, world")
    assert stream.seek(offset) == file.seek(offset)
    assert stream.readall() == file.read()
    assert stream.seek(-3, io.SEEK_END) == file.seek(-3, io.SEEK_END)
    assert stream.seek(1, io.SEEK_CUR) == file.seek(1, io.SEEK_CUR)
    assert stream.readall() == file.read()


def test_gives_its_length() -> None:
    stream = ChunkStream(CHUNKS)
    assert (stream.seekable(), stream.readable(), stream.seek(0, io.SEEK_END)) == (True, True, 12)


def test_of_nothing() -> None:
    assert ChunkStream(()).readall() == b""
