"""Editing a message by splicing: what does not change keeps every byte."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2s
from typing import TYPE_CHECKING

from workmail_flow.assumptions import IMMUTABLE_HEADERS
from workmail_flow.updated_content import FIELD_NAME_PATTERN, UNIQUE_HEADERS
from workmail_runtime.edit.bodies import Bodies, find_bodies, is_body_text, require_room_beside
from workmail_runtime.edit.encoded_words import decode_words, encode_words
from workmail_runtime.edit.header_block import line_ending
from workmail_runtime.edit.insertion import MARK_FIELD, Insertion, Place, new_insertion, new_mark
from workmail_runtime.edit.new_part import Attachment, attachment_part, text_part
from workmail_runtime.edit.parse_message import FoundAttachments, ParsedMessage, find_attachments, parse_message
from workmail_runtime.edit.refusal import EditRefusal, EditRefusedError
from workmail_runtime.edit.render_splices import PartEdit, render_splices
from workmail_runtime.edit.subject import has_prefix, prefixed
from workmail_runtime.edit.text_body import plan_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from workmail_runtime.edit.mime_part import MimePart
    from workmail_runtime.edit.render_splices import Splice

_FIELD_NAME = re.compile(FIELD_NAME_PATTERN)
_KEPT_OF_BODY = 4 * 1024  # at each of its ends, in an outline


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The edits of an editor at one time; see `MessageEditor.checkpoint`."""

    edit_count: int
    edits: dict[MimePart, PartEdit]
    insertions: dict[Place, list[Insertion]]


class MessageEditor:
    r"""One message and the edits to it.

    Looking at a message never raises: a damaged one shows at least the parts that mail programs find, and `problem`
    says what is wrong. Every edit either happens or raises and leaves the message as it was. Parts that no edit
    touches keep every byte, and so does the header: order, folding and spelling.

    Args:
        raw: The message as `GetRawMessageContent` returned it. It is not copied: leave a `bytearray` unchanged while
            the editor is in use.
        invocation_id: What all retries of one event have in common (E7) and the sender cannot know. Each edit leaves a
            mark of it in the message, so that a retry which is given the updated bytes (C4) does not make the edit
            again; `content.edit()` passes it. Without it the editor knows only the edits it has made itself.

    Raises:
        EditRefusedError: From every edit, when the message is malformed, so that mail programs read it in different
            ways (and WorkMail would reject the update, C8), or too large to be read to its end.
    """

    def __init__(self, raw: bytes | bytearray, *, invocation_id: str | None = None) -> None:
        self._raw = raw
        self._invocation_id = invocation_id
        self._parsed: ParsedMessage | None = None
        self._edits: dict[MimePart, PartEdit] = {}
        self._insertions: dict[Place, list[Insertion]] = {Place.TOP: [], Place.BOTTOM: []}
        self._bodies: Bodies | None = None
        self._rendered: list[Splice] | None = None
        self._edit_count = 0

    # --- the message as it came

    @property
    def raw(self) -> bytes | bytearray:
        """The message as it was given."""
        return self._raw

    @property
    def root(self) -> MimePart:
        """The message as a tree of parts, as it came."""
        return self._message().root

    @property
    def problem(self) -> EditRefusedError | None:
        """Why mail programs may find other parts in the message than this editor does; None for a sound message.

        Every edit raises it. It is also there where only an attached message is damaged, which no edit minds.
        """
        return self._message().problem or self._found_attachments.problem

    @property
    def parts(self) -> tuple[MimePart, ...]:
        """All parts in their order, the message itself first; attached messages are not entered."""
        return tuple(self.root.walk())

    @property
    def attachments(self) -> tuple[MimePart, ...]:
        """The parts a mail program offers as files, those inside a signature or an attached message included."""
        return self._found_attachments.parts

    # --- the result

    @property
    def changed(self) -> bool:
        """Whether any edit changed the message. Nothing needs to be put back where it did not."""
        return bool(self._splices())

    @property
    def size(self) -> int:
        """Bytes of the result."""
        return len(self._raw) + sum(len(new) - (end - start) for start, end, new in self._splices())

    def to_bytes(self) -> bytes | bytearray:
        """The result; the very object that was given when nothing changed, else a copy of the whole message."""
        return b"".join(self.chunks()) if self.changed else self._raw

    def chunks(self) -> Iterator[memoryview]:
        """The result as consecutive views, for an upload that does not copy the message."""
        return (memoryview(buffer)[start:end] for buffer, start, end in self.pieces())

    def pieces(self) -> Iterator[tuple[bytes | bytearray, int, int]]:
        """The result as consecutive spans: the message or something new, and where the span starts and ends in it."""
        position = 0
        for start, end, new in self._splices():
            if start > position:
                yield self._raw, position, start
            if new:
                yield new, 0, len(new)
            position = end
        if position < len(self._raw):
            yield self._raw, position, len(self._raw)

    def outline(self) -> bytes:
        """The result without the middle of long bodies: its parts and headers, in little memory.

        Of a malformed message nothing is left out, since its bodies cannot be told for certain.
        """
        root, problem = self._message()
        middles = [] if problem else [middle for part in root.walk() if (middle := _middle(part))]
        kept = []
        for buffer, start, end in self.pieces():
            behind = start
            for middle_start, middle_end in middles if buffer is self._raw else ():
                if behind <= middle_start and middle_end <= end:
                    kept.append(memoryview(buffer)[behind:middle_start])
                    behind = middle_end
            kept.append(memoryview(buffer)[behind:end])
        return b"".join(kept)

    # --- taking edits back

    @property
    def edit_count(self) -> int:
        """How many edits have changed the message so far."""
        return self._edit_count

    def checkpoint(self) -> Checkpoint:
        """The edits so far, to come back to with `roll_back`."""
        return Checkpoint(self._edit_count, *_copied(self._edits, self._insertions))

    def roll_back(self, checkpoint: Checkpoint) -> None:
        """Take back the edits since the checkpoint, which may be used again."""
        self._edit_count = checkpoint.edit_count
        self._edits, self._insertions = _copied(checkpoint.edits, checkpoint.insertions)
        self._rendered = None
        if not any(self._insertions.values()):
            self._bodies = None

    # --- the header

    @property
    def subject(self) -> str | None:
        """The subject with all edits so far, decoded and not cut (E5); None where the message has none."""
        return self.header("Subject")

    def header(self, name: str) -> str | None:
        """The first field of this name with all edits so far, decoded as text; None where there is none."""
        values = self.headers(name)
        return values[0] if values else None

    def headers(self, name: str) -> list[str]:
        """All fields of this name with all edits so far, decoded as text."""
        wanted = name.lower()
        edit = self._edits.get(self.root, PartEdit())
        kept = [
            self._field(index) for index, entry in enumerate(self.root.block.fields) if entry.name.lower() == wanted
        ]
        added = [content for added_name, content in edit.appended if added_name.lower() == wanted]
        return [decode_words(content.partition(b":")[2]) for content in [*kept, *added] if content]

    def prefix_subject(self, prefix: str) -> bool:
        """Put a word before the message's own subject, with one space between.

        A subject that has it already, also behind "Re:", "Fwd:" and the like or a list's [tag], stays as it is, in
        whatever case of letters. Only the prefix is written; the subject behind it keeps its encoding and folding.

        Args:
            prefix: For example "[EXT]". Spaces around it do not count.

        Returns:
            Whether the message changed.

        Raises:
            ValueError: The prefix is empty or has a line ending.
            EditRefusedError: The message is malformed.
        """
        prefix = " ".join(_one_line(prefix, "the prefix").split())
        if not prefix:
            raise ValueError("the prefix is empty; give the text to put before the subject")
        block = self._sound_root().block
        indexes = [index for index, entry in enumerate(block.fields) if entry.name.lower() == "subject"]
        indexes = [index for index in indexes if self._field(index)]
        if not indexes:
            if any(has_prefix(subject, prefix) for subject in self.headers("Subject")):
                return False
            return self._append_field("Subject", prefix)
        changed = False
        for index in indexes:
            content = self._field(index)
            if not has_prefix(decode_words(content.partition(b":")[2]), prefix):
                self._edit(self.root).fields[index] = prefixed(content, prefix, self._eol)
                changed = True
        return self._done(changed)

    def add_header(self, name: str, value: str) -> bool:
        """Add a field at the end of the header, unless the message has one with this name and value.

        Returns:
            Whether the message changed.

        Raises:
            ValueError: The name is not a field name, is one the MIME structure needs, or may stand only once and
                does (C8); or the value has a line ending.
            EditRefusedError: The message is malformed.
        """
        _require_name(name)
        value = _one_line(value, f"the value of {name}").strip()
        self._sound_root()
        present = self.headers(name)
        if value in present:
            return False
        self._require_mutable(name)
        if present and name.lower() in UNIQUE_HEADERS:
            raise ValueError(f"{name} may stand once (RFC 5322 section 3.6) and the message has it; use replace_header")
        return self._append_field(name, value)

    def replace_header(self, name: str, value: str) -> bool:
        """Give the first field of this name a new value and remove the others; add it where there is none.

        Returns:
            Whether the message changed.

        Raises:
            ValueError: As for `add_header`.
            EditRefusedError: The message is malformed, or WorkMail lets nobody change this field (C8).
        """
        _require_name(name)
        value = _one_line(value, f"the value of {name}").strip()
        self._sound_root()
        present = self.headers(name)
        if present == [value]:
            return False
        self._require_mutable(name)
        self._remove_fields(name)
        indexes = [index for index, entry in enumerate(self.root.block.fields) if entry.name.lower() == name.lower()]
        if not indexes:
            return self._append_field(name, value)
        spelled = self.root.block.fields[indexes[0]].name
        self._edit(self.root).fields[indexes[0]] = self._new_field(spelled, value)
        return self._done(True)

    def remove_header(self, name: str) -> bool:
        """Remove every field of this name.

        Returns:
            Whether the message changed.

        Raises:
            ValueError: The name is not a field name, or is one the MIME structure needs.
            EditRefusedError: The message is malformed, or WorkMail lets nobody change this field (C8).
        """
        _require_name(name)
        self._sound_root()
        if not self.headers(name):
            return False
        self._require_mutable(name)
        self._remove_fields(name)
        return self._done(True)

    # --- the body

    def add_banner(self, text: str, *, html: str | None = None) -> bool:
        """Show a text above the body, in every alternative of it.

        Args:
            text: Lines of plain text. HTML bodies get it escaped, in a div.
            html: What HTML bodies get instead: markup that may stand in a div.

        Returns:
            Whether the message changed.

        Raises:
            ValueError: The text is empty.
            EditRefusedError: The message is malformed or encrypted, its text is inside a signature, or it has no
                body that a text could go above; see `EditRefusal`.
        """
        return self._insert(Place.TOP, text, html)

    def add_footer(self, text: str, *, html: str | None = None) -> bool:
        """Show a text below the body, in every alternative of it; as `add_banner`.

        It goes to the very end, below a "-- " signature: mail programs drop both from the replies they quote, and each
        reply gets its own.
        """
        return self._insert(Place.BOTTOM, text, html)

    def attach(self, attachment: Attachment) -> bool:
        """Add an attachment, unless this invocation has done so.

        Returns:
            Whether the message changed.

        Raises:
            EditRefusedError: The message is malformed, encrypted, signed as a whole, or of a structure that another
                part would break.
        """
        root = self._sound_root()
        part = attachment_part(attachment, self._eol)
        marks = self._new_marks("attach", blake2s(part).hexdigest())
        if marks is None or part in self._edits.get(root, PartEdit()).attached:
            return False
        require_room_beside(root)
        self._edit(root).attached.append(part)
        self._edit(root).appended += marks
        return self._done(True)

    def remove_attachments(self, predicate: Callable[[MimePart], bool]) -> tuple[MimePart, ...]:
        """Remove the attachments for which the predicate holds.

        The predicate is asked about the message's own attachments. An attached message is one of them, and goes as a
        whole. A multipart never becomes empty: where all its parts go, an empty text stays in place of the first.

        Returns:
            What was removed.

        Raises:
            EditRefusedError: The message is malformed, or one of them is inside a signature; none is removed then.
        """
        return self._replace(predicate, None)

    def replace_attachments(
        self, predicate: Callable[[MimePart], bool], replacement: Callable[[MimePart], Attachment]
    ) -> tuple[MimePart, ...]:
        """Put another attachment in the place of each for which the predicate holds, for example a note about it.

        The predicate is not asked about what this invocation has put there.

        Returns:
            What was replaced.

        Raises:
            EditRefusedError: The message is malformed, or one of them is inside a signature; none is replaced then.
        """
        return self._replace(predicate, replacement)

    # --- edits

    def _message(self) -> ParsedMessage:
        if self._parsed is None:
            self._parsed = parse_message(self._raw)
        return self._parsed

    @cached_property
    def _found_attachments(self) -> FoundAttachments:
        return find_attachments(self.root)

    def _sound_root(self) -> MimePart:
        root, problem = self._message()
        if problem is not None:
            raise problem
        return root

    @property
    def _eol(self) -> bytes:
        return line_ending(self._raw, self.root.start, self.root.end)

    def _new_marks(self, *what: str) -> list[tuple[str, bytes]] | None:
        """The header field that says that this invocation has made an edit; None where it stands there already."""
        if self._invocation_id is None:
            return []
        mark = new_mark(self._invocation_id, *what)
        return None if mark in self.headers(MARK_FIELD) else [(MARK_FIELD, self._new_field(MARK_FIELD, mark))]

    def _edit(self, part: MimePart) -> PartEdit:
        return self._edits.setdefault(part, PartEdit())

    def _done(self, changed: bool) -> bool:
        if changed:
            self._rendered = None
            self._edit_count += 1
        return changed

    def _field(self, index: int) -> bytes:
        """A field of the message with the edits so far, empty where it is removed."""
        edit = self._edits.get(self.root)
        if edit and index in edit.fields:
            return edit.fields[index]
        entry = self.root.block.fields[index]
        return bytes(self._raw[entry.start : entry.end])

    def _new_field(self, name: str, value: str) -> bytes:
        return f"{name}: ".encode("ascii") + encode_words(value, eol=self._eol, width=len(name) + 2) + self._eol

    def _append_field(self, name: str, value: str) -> bool:
        self._edit(self.root).appended.append((name, self._new_field(name, value)))
        return self._done(True)

    def _remove_fields(self, name: str) -> None:
        edit = self._edit(self.root)
        for index, entry in enumerate(self.root.block.fields):
            if entry.name.lower() == name.lower():
                edit.fields[index] = b""
        edit.appended = [(added, content) for added, content in edit.appended if added.lower() != name.lower()]

    def _require_mutable(self, name: str) -> None:
        if name.lower() in IMMUTABLE_HEADERS:
            fixed = ", ".join(IMMUTABLE_HEADERS)
            raise EditRefusedError(EditRefusal.IMMUTABLE_HEADER, f"{name} may not change, as none of {fixed} may")

    def _insert(self, place: Place, text: str, html: str | None) -> bool:
        root = self._sound_root()
        insertion = new_insertion(place, text, html)
        marks = self._new_marks(place, text, html or "")
        if marks is None or insertion in self._insertions[place]:
            return False
        if self._bodies is None:
            self._bodies = find_bodies(root)
        self._insertions[place].append(insertion)
        self._edit(root).appended += marks
        return self._done(True)

    def _plan(self, bodies: Bodies) -> None:
        """Plan to write into each text, or else new parts beside it."""
        for part in {**bodies.top, **bodies.bottom}:
            edit = self._edit(part)
            banners = self._insertions[Place.TOP] if part in bodies.top else []
            footers = self._insertions[Place.BOTTOM] if part in bodies.bottom else []
            edit.body = plan_text(part, banners, footers, eol=self._eol) if is_body_text(part) else None
            is_beside = edit.body is None
            edit.before = text_part(_paragraphs(reversed(banners)), self._eol) if banners and is_beside else None
            edit.after = text_part(_paragraphs(footers), self._eol) if footers and is_beside else None

    def _identity(self) -> bytes:
        """What differs between messages and stays over retries."""
        fields = self.root.block.find("message-id") or self.root.block.fields
        return (self._invocation_id or "").encode() + self.root.field_value(fields[0])

    def _replace(
        self, predicate: Callable[[MimePart], bool], replacement: Callable[[MimePart], Attachment] | None
    ) -> tuple[MimePart, ...]:
        root = self._sound_root()
        mark = new_mark(self._invocation_id, "replace") if self._invocation_id else ""
        field = f"{MARK_FIELD}: {mark}".encode("ascii") if mark else b""
        gone = [part for part in root.walk() if part.is_attachment and self._is_open_to_replacement(part, mark)]
        gone = [part for part in gone if predicate(part)]
        for part in gone:
            if part.signed_by is not None:
                raise EditRefusedError(
                    EditRefusal.SIGNED, f"{part.name} lies inside the signature of {part.signed_by.name}"
                )
        contents = [attachment_part(replacement(part), self._eol, mark=field) if replacement else b"" for part in gone]
        for part, content in zip(gone, contents, strict=True):
            self._edit(part).replacement = content
        for parent in dict.fromkeys(part.parent for part in gone):
            siblings = parent.children if parent else [root]
            if all(self._edits.get(sibling, PartEdit()).replacement == b"" for sibling in siblings):
                self._edit(siblings[0]).replacement = text_part("", self._eol)
        self._done(bool(gone))
        return tuple(gone)

    def _is_open_to_replacement(self, part: MimePart, mark: str) -> bool:
        if self._edits.get(part, PartEdit()).replacement is not None:
            return False
        return not mark or mark not in [
            part.field_value(entry).decode("latin-1").strip() for entry in part.block.find(MARK_FIELD)
        ]

    def _splices(self) -> list[Splice]:
        if self._rendered is None:
            if self._bodies is not None:
                self._plan(self._bodies)
            self._rendered = render_splices(self.root, self._edits, identity=self._identity()) if self._edits else []
        return self._rendered


def _copied(
    edits: Mapping[MimePart, PartEdit], insertions: Mapping[Place, list[Insertion]]
) -> tuple[dict[MimePart, PartEdit], dict[Place, list[Insertion]]]:
    """Copy what edits change; rendering plans the bodies again."""
    copied = {
        part: replace(edit, fields=dict(edit.fields), appended=list(edit.appended), attached=list(edit.attached))
        for part, edit in edits.items()
    }
    return copied, {place: list(inserted) for place, inserted in insertions.items()}


def _middle(part: MimePart) -> tuple[int, int] | None:
    """Whole lines in the middle of a long body that holds no other part."""
    if part.children:
        return None
    start = part.raw.find(b"\n", part.block.body_start + _KEPT_OF_BODY, part.end) + 1
    end = part.raw.rfind(b"\n", start, part.end - _KEPT_OF_BODY) + 1 if start else 0
    return (start, end) if start < end else None


def _one_line(text: str, what: str) -> str:
    if any(character in text for character in "\r\n\0"):
        raise ValueError(f"{what} has a line ending or NUL; give one line, it is folded where needed")
    return text


def _require_name(name: str) -> None:
    if not _FIELD_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no field name; printable ASCII without space and colon is allowed (RFC 5322)")
    if name.lower().startswith("content-") or name.lower() == "mime-version":
        raise ValueError(f"{name} describes the message's structure, which edits keep right themselves")


def _paragraphs(insertions: Iterable[Insertion]) -> str:
    return "\n\n".join(insertion.text for insertion in insertions)
