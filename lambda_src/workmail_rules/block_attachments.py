"""`BlockAttachments`: by name, by declared and actual type, by size, also inside zip archives."""

from __future__ import annotations

import re
from functools import cache
from io import BytesIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import IO, Final

    from puremagic import PureMagic

    from workmail_rules.message import Message
    from workmail_rules.zip_files import Budget
    from workmail_runtime.edit.mime_part import MimePart

_MAGIC_BYTES: Final = 40 * 1024
"""What has to be known of a file's beginning to recognize it; an ISO image is the longest."""
_TAIL_BYTES: Final = 64 * 1024 + 22
"""Where the end of an archive's directory is, with the longest comment behind it."""
_CHUNK: Final = 256 * 1024
_HELD_BYTES: Final = 1024 * 1024
"""How much of a file is held in memory; a larger one is written to the disk."""
_MAX_PADDING: Final = 10_000
"""How often base64 may end and begin again: programs differ in what they make of that, and it takes time."""
_MAX_NAME: Final = 600
"""Characters at the end of a name that are looked at; a file and a stream of it may have 255 each."""

_NOT_BASE64: Final = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="))
_ENCODINGS: Final = frozenset({"7bit", "8bit", "binary", "base64", "quoted-printable"})

_INVISIBLE: Final = re.compile(r"[\x01-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")
_FOLDERS: Final = re.compile(r"[/\\]")
# Behind these a name goes on for some programs and ends for others: streams of NTFS, C's end of a text, versions.
_NAME_ENDS: Final = re.compile(r"[\x00:;?*\"<>|]")
_NOT_NAMES: Final = " ./\\"
"""What Windows leaves out at the end of a name."""


class Criteria:
    """What is blocked.

    Args:
        extensions: Ends of file names, in lower case with their dot.
        types: Media types in lower case; `video/*` for all of a kind.
        max_bytes: The largest attachment; None for any.
    """

    def __init__(self, *, extensions: Iterable[str], types: Iterable[str], max_bytes: int | None) -> None:
        self._extensions = tuple(extensions)
        self._types = frozenset(types)
        self._max_bytes = max_bytes

    def problem(self, names: Iterable[str], declared: str | None, size: int, head: bytes) -> str | None:
        """Say why a file is blocked."""
        spelled = {each for name in names for each in _spellings(name)}
        if any(name.endswith(self._extensions) for name in spelled):
            return "extension"
        if declared is not None and self._has_type(declared):
            return "declared type"
        if self._max_bytes is not None and size > self._max_bytes:
            return "size"
        actual = _actual_types(head, spelled) if head else {}
        if any(extension.endswith(self._extensions) for extension in actual):
            return "actual type"
        if any(self._has_type(kind) for kinds in actual.values() for kind in kinds):
            return "actual type"
        return None

    def _has_type(self, kind: str) -> bool:
        return kind in self._types or f"{kind.partition('/')[0]}/*" in self._types


def run(
    message: Message,
    *,
    extensions: tuple[str, ...],
    types: tuple[str, ...],
    max_bytes: int | None,
    then: Mapping[str, str] | None,
    note: Mapping[str, str] | None,
    unreadable: Mapping[str, str] | None,
    otherwise: Mapping[str, str] | None,
) -> None:
    """Decide about a message with a blocked attachment, or put a note in the place of each.

    Args:
        message: The message.
        extensions: As in `Criteria`.
        types: As in `Criteria`.
        max_bytes: As in `Criteria`.
        then: What to decide where one is blocked; None with a note.
        note: `filename` and `text` of the note.
        unreadable: What to decide where something cannot be looked into; None lets it go on.
        otherwise: What to decide where a blocked attachment cannot be replaced.
    """
    look = _Look(Criteria(extensions=extensions, types=types, max_bytes=max_bytes))
    if message.parsed.problem is not None:
        look.problems.append("the message")
    blocked = []
    for part in _files(message):
        if look.is_blocked(part):
            blocked.append(part)
            if note is None:
                break
    if blocked:
        message.note(f"{len(blocked)} blocked by {', '.join(look.reasons)}")
        message.count("Blocked", len(blocked))
        if note is None:
            message.decide(**(then or {}))
            return
        if not _replaced(message, blocked, note):
            message.note("not all of them can be replaced")
            message.decide(**(otherwise or {}))
            return
    if look.problems:
        message.note(f"cannot be looked into: {', '.join(dict.fromkeys(look.problems))}")
        message.count("Unreadable")
        if unreadable is not None:
            message.decide(**unreadable)


class _Look:
    """What is found in the files of one message."""

    def __init__(self, criteria: Criteria) -> None:
        self._criteria = criteria
        self._budget: Budget | None = None
        self.reasons: dict[str, None] = {}
        """Why files are blocked."""
        self.problems: list[str] = []
        """What cannot be looked into."""

    def is_blocked(self, part: MimePart) -> bool:
        """Whether a part, or a file in it, is blocked."""
        if part.transfer_encoding not in _ENCODINGS:
            self.problems.append("an unusual transfer encoding")
        chunks = decoded_chunks(part)
        if part.transfer_encoding == "base64" and part.raw.count(b"=", part.start, part.end) > _MAX_PADDING:
            self.problems.append("broken base64")
            chunks = iter(())
        with _new_file(part.size) as file:
            size = sum(map(file.write, chunks))
            file.seek(0)
            head = file.read(_MAGIC_BYTES)
            reason = self._criteria.problem(part.filenames, part.content_type, size, head)
            if reason is None and head:
                reason = self._reason_inside(file, head, part, size)
        if reason is not None:
            self.reasons[reason] = None
        return reason is not None

    def _reason_inside(self, file: IO[bytes], head: bytes, part: MimePart, size: int) -> str | None:
        """Say why a file in an archive is blocked."""
        file.seek(max(0, size - _TAIL_BYTES))
        is_named_so = any(_spelled(name).endswith(".zip") for name in part.filenames)
        if not (is_named_so or head.startswith(b"PK") or b"PK\5\6" in file.read()):
            return None
        from workmail_rules.zip_files import Budget, UnreadableError, is_zip, zip_entries

        if not is_zip(file, head):
            if is_named_so:
                self.problems.append("a broken archive")
            return None
        self._budget = self._budget or Budget()
        try:
            for entry in zip_entries(file, self._budget, problem=self.problems.append):
                if reason := self._criteria.problem(entry.names, None, entry.size, entry.head):
                    return f"{reason} in an archive"
        except UnreadableError as error:
            self.problems.append(str(error))
        return None


def _files(message: Message) -> Iterator[MimePart]:
    """Yield the parts that programs offer as files, and those with a name, which some offer too."""
    attachments = message.parsed.attachments
    yield from attachments
    known = set(map(id, attachments))
    for part in message.parsed.parts:
        if not part.children and id(part) not in known and (part.filenames or part.transfer_encoding not in _ENCODINGS):
            yield part


def _new_file(size: int) -> IO[bytes]:
    if size <= _HELD_BYTES:
        return BytesIO()
    from tempfile import TemporaryFile  # takes a while to load

    return TemporaryFile()


def decoded_chunks(part: MimePart) -> Iterator[bytes]:
    """Yield a part's content as `MimePart.content` does, without holding it in memory as a whole."""
    from workmail_runtime.edit.transfer_encoding import decode_packed

    if part.transfer_encoding == "quoted-printable":
        yield part.content()
        return
    body = memoryview(part.raw)[part.block.body_start : part.end]
    chunks = (bytes(body[at : at + _CHUNK]) for at in range(0, len(body), _CHUNK))
    if part.transfer_encoding != "base64":
        yield from chunks
        return
    rest = b""
    for chunk in chunks:
        packed = rest + chunk.translate(None, _NOT_BASE64)
        # Behind padding another run begins; within one, four characters are three bytes.
        run_start = packed.rfind(b"=") + 1
        cut = len(packed) - (len(packed) - run_start) % 4
        yield decode_packed(packed[:cut])
        rest = packed[cut:]
    yield decode_packed(rest)


def _replaced(message: Message, blocked: list[MimePart], note: Mapping[str, str]) -> bool:
    """Put a note in the place of each blocked attachment; return whether none is left."""
    from workmail_runtime.edit import Attachment, EditRefusedError

    # Without a character set, which an attachment does not declare, the mark says that it is UTF-8.
    content = note["text"].encode("ascii" if note["text"].isascii() else "utf-8-sig")
    replacement = Attachment(note["filename"], content, "text/plain")
    try:
        gone = message.editor.replace_attachments(
            lambda part: any(_lies_in(each, part) for each in blocked), lambda _: replacement
        )
    except EditRefusedError:
        return False
    return all(any(_lies_in(each, part) for part in gone) for each in blocked)


def _lies_in(inner: MimePart, outer: MimePart) -> bool:
    return inner.raw is outer.raw and outer.start <= inner.start and inner.end <= outer.end


def _spelled(name: str) -> str:
    """Return a file's name without folders as programs may see it: what nobody sees is left out."""
    name = name[-_MAX_NAME:]
    if not name.isascii():
        from unicodedata import normalize

        name = normalize("NFKC", name)
    return _FOLDERS.split(_INVISIBLE.sub("", name).rstrip(_NOT_NAMES))[-1].lower()


def _spellings(name: str) -> Iterator[str]:
    """Yield the names that programs may take it for."""
    for each in _NAME_ENDS.split(_spelled(name)):
        yield each.rstrip(_NOT_NAMES)


def _actual_types(head: bytes, names: Iterable[str]) -> dict[str, set[str]]:
    """Return the media types by extension that a file's beginning says it may be.

    Many kinds begin in the same way: programs of all sorts, or an archive and an office document. A name that is one of
    them is taken at its word.
    """
    found: dict[str, set[str]] = {}
    for (offset, length), rows in _signatures().items():
        for row in rows.get(head[offset : offset + length], ()):
            found.setdefault(row.extension.lower(), set()).add(row.mime_type.lower())
            for more in _further(row.byte_match):
                if head[more.offset : more.offset + len(more.byte_match)] == more.byte_match:
                    found.setdefault(more.extension.lower(), set()).add(more.mime_type.lower())
    named = {extension: kinds for extension, kinds in found.items() if extension and _ends_with(names, extension)}
    return named or found


def _ends_with(names: Iterable[str], extension: str) -> bool:
    return any(name.endswith(extension) for name in names)


@cache
def _signatures() -> dict[tuple[int, int], dict[bytes, list[PureMagic]]]:
    """Return the library's signatures by where they stand and how long they are.

    The library compares each of them with each file, and a message may have thousands. One byte says nothing.
    """
    from puremagic import magic_header_array

    found: dict[tuple[int, int], dict[bytes, list[PureMagic]]] = {}
    for row in magic_header_array:
        if len(row.byte_match) > 1:
            found.setdefault((row.offset, len(row.byte_match)), {}).setdefault(row.byte_match, []).append(row)
    return found


def _further(signature: bytes) -> Iterator[PureMagic]:
    """Yield what tells kinds apart that have a signature in common, at the beginning of a file."""
    from puremagic import multi_part_dict

    return (row for row in multi_part_dict.get(signature, ()) if row.offset >= 0)
