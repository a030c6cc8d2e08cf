"""Several buffers as one binary stream, without joining them."""

from __future__ import annotations

import io

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


class ChunkStream(io.RawIOBase):
    """Reads through buffers one after the other, so that an edited message is not in memory twice."""

    def __init__(self, chunks: Iterable[bytes | bytearray | memoryview]) -> None:
        super().__init__()
        self._chunks = tuple(view for chunk in chunks if (view := memoryview(chunk)))
        self._size = sum(len(chunk) for chunk in self._chunks)
        self._position = 0  # in the whole stream
        self._index, self._offset = 0, 0  # the same, as a chunk and a place in it

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be sent again."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position in bytes, from the start, from here or from the end."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        self._index, self._offset = 0, self._position
        while self._index < len(self._chunks) and self._offset >= len(self._chunks[self._index]):
            self._offset -= len(self._chunks[self._index])
            self._index += 1
        return self._position

    def tell(self) -> int:
        """Return the position in bytes."""
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer from the current chunk; 0 at the end."""
        if self._index >= len(self._chunks):
            return 0
        chunk = self._chunks[self._index]
        count = min(len(buffer), len(chunk) - self._offset)
        buffer[:count] = chunk[self._offset : self._offset + count]
        self._offset += count
        self._position += count
        if self._offset == len(chunk):
            self._index, self._offset = self._index + 1, 0
        return count
