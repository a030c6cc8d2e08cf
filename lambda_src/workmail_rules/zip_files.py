"""What is in a zip archive, read within bounds and without trust: names of all kinds, and how each file begins."""

from __future__ import annotations

import re
import struct
import tempfile
import zipfile
import zlib
from contextlib import nullcontext
from io import BytesIO
from mmap import ACCESS_READ, mmap

from workmail_flow.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from typing import IO, Final

MAX_NAMES: Final = 10_000
"""Names of files in all archives of a message together; an archive has two for each."""

MAX_INFLATED_BYTES: Final = 50 * 1024 * 1024
"""Bytes that are unpacked of them: the beginning of each file, and archives in archives."""

MAX_DEPTH: Final = 3
"""Archives in one another."""

HEAD_BYTES: Final = 4 * 1024
"""How much of the beginning of each file is unpacked."""

SIGNATURES: Final = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
"""How an archive begins."""

_LOCAL: Final = re.compile(rb"PK\x03\x04")
_CENTRAL: Final = re.compile(rb"PK\x01\x02")
_LOCAL_NAME_LENGTH: Final = struct.Struct("<H")
_NAME_BYTES: Final = 600
_UNICODE_PATH: Final = 0x7075
_ENCRYPTED: Final = 0x1
# bz2 and LZMA unpack kilobytes to gigabytes in one call.
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError, OSError)
_CHUNK: Final = 256 * 1024


class UnreadableError(Exception):
    """An archive cannot be looked into, or not to its end; the text says why."""


class ZipEntry(Record):
    """A file in an archive.

    Args:
        names: Every name that the archive has for it: programs differ in which they take.
        size: Its bytes, as the archive says.
        head: Its first bytes; empty where only a name is known.
    """

    names: tuple[str, ...]
    size: int = 0
    head: bytes = b""


class Budget:
    """What may still be looked at of a message's archives."""

    def __init__(self) -> None:
        self.names = MAX_NAMES
        self.inflated = MAX_INFLATED_BYTES

    def spend(self, *, names: int = 0, inflated: int = 0) -> None:
        """Take from what is left, or raise `UnreadableError`."""
        self.names -= names
        self.inflated -= inflated
        if self.names < 0 or self.inflated < 0:
            message = "archives with more files or bytes than are looked at"
            raise UnreadableError(message)


def is_zip(file: IO[bytes], head: bytes) -> bool:
    """Whether a file is an archive for any program: at its beginning, or behind something else."""
    return head.startswith(SIGNATURES) or zipfile.is_zipfile(file)


def zip_entries(
    file: IO[bytes], budget: Budget, *, problem: Callable[[str], None], depth: int = 1
) -> Iterator[ZipEntry]:
    """Yield the files of an archive and of the archives in it.

    Args:
        file: A real file.
        budget: What may still be looked at.
        problem: Is told what cannot be looked into, for example an encrypted file; the names are yielded all the same.
        depth: How deep the archive lies in others.

    Raises:
        UnreadableError: The archive is broken, or too much.
    """
    with _content(file) as content:
        # Programs that read an archive from its beginning find these, whatever its directory says.
        for match in _LOCAL.finditer(content):
            budget.spend(names=1)
            yield ZipEntry((_local_name(content, match.start()),))
        # Counted before zipfile makes an object of each.
        budget.spend(names=sum(1 for _ in _CENTRAL.finditer(content)))
    try:
        archive = zipfile.ZipFile(file)
    except _BROKEN as error:
        message = f"a broken archive: {type(error).__name__}"
        raise UnreadableError(message) from error
    with archive:
        for info in archive.infolist():
            names = (info.orig_filename, info.filename, *_unicode_paths(info.extra))
            head, inner = b"", None
            try:
                head, inner = _beginning(archive, info, budget, depth)
            except UnreadableError as error:
                problem(str(error))
            except (*_BROKEN, RuntimeError) as error:  # the last is zipfile's word for what is encrypted after all
                problem(f"a broken file in an archive: {type(error).__name__}")
            yield ZipEntry(names, info.file_size, head)
            if inner is not None:
                with inner:
                    try:
                        yield from zip_entries(inner, budget, problem=problem, depth=depth + 1)
                    except UnreadableError as error:
                        problem(str(error))


def _beginning(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget, depth: int
) -> tuple[bytes, IO[bytes] | None]:
    """Return how a file begins, and the whole of it if it is an archive."""
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        message = "a file in an archive that is encrypted or packed in an unusual way"
        raise UnreadableError(message)
    with archive.open(info) as packed:
        head = packed.read(HEAD_BYTES)
        budget.spend(inflated=len(head))
        if not head.startswith(SIGNATURES):
            if info.filename.lower().endswith(".zip"):
                message = "a broken archive in an archive"
                raise UnreadableError(message)
            return head, None
        if depth == MAX_DEPTH:
            message = "archives in one another, deeper than is looked"
            raise UnreadableError(message)
        inner = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever reads it
        try:
            inner.write(head)
            while chunk := packed.read(_CHUNK):
                budget.spend(inflated=len(chunk))
                inner.write(chunk)
            inner.flush()
        except BaseException:
            inner.close()
            raise
        return head, inner


def _content(file: IO[bytes]) -> AbstractContextManager[bytes | mmap]:
    if isinstance(file, BytesIO):
        return nullcontext(file.getvalue())
    return mmap(file.fileno(), 0, access=ACCESS_READ)


def _local_name(content: bytes | mmap, at: int) -> str:
    header = content[at : at + 30]
    if len(header) < 30:
        return ""
    (length,) = _LOCAL_NAME_LENGTH.unpack(header[26:28])
    return _decoded(content[at + 30 : at + 30 + length])


def _unicode_paths(extra: bytes) -> Iterator[str]:
    """Yield the names that Info-ZIP's extra field gives in place of the others."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == _UNICODE_PATH:
            yield _decoded(extra[at + 9 : at + 4 + size])
        at += 4 + size


def _decoded(name: bytes) -> str:
    """Return a name's end, which is what it is compared by."""
    name = name[-_NAME_BYTES:]
    try:
        return name.decode()
    except ValueError:
        return name.decode("cp437")
