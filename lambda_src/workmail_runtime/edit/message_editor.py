"""Editing a message by splicing: what does not change keeps every byte."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workmail_runtime.edit.bodies import Bodies, find_bodies, require_room_beside
from workmail_runtime.edit.check_message import IMMUTABLE_HEADERS, UNIQUE_HEADERS
from workmail_runtime.edit.content_value import parse_content_value
from workmail_runtime.edit.encoded_words import MAX_LINE, decode_words, encode_words, starts_with_encoded_word
from workmail_runtime.edit.header_block import line_ending
from workmail_runtime.edit.mime_part import MimePart, parse_message
from workmail_runtime.edit.new_part import Attachment, attachment_part, new_boundary, text_part
from workmail_runtime.edit.refusal import EditRefusal, EditRefusedError
from workmail_runtime.edit.text_body import MARK_PARAMETER, BodyEdit, Insertion, Place, TextBody, new_insertion

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

_FIELD_NAME = re.compile(r"[!-9;-~]{1,76}")
_REPLY_MARKER = re.compile(
    r"(?:re|r|fwd?|fw|aw|antw|wg|sv|vs|vb|tr|rv|rif|i|ang|doorst|odp|pd|ynt|ilt|enc|res|回复|答复|转发|返信|転送)"
    r"\s*(?:\[\d+\]|\(\d+\))?\s*[:\uff1a]\s*",
    re.IGNORECASE,
)
_TAGS = re.compile(r"^(?:\[[^\[\]]{1,40}\]\s*)+")


@dataclass(slots=True)
class _PartEdit:
    """What is to change at one part; empty containers where nothing is."""

    fields: dict[int, bytes] = field(default_factory=dict)  # by index in the block; b"" removes it
    appended: list[tuple[str, bytes]] = field(default_factory=list)
    body: BodyEdit | None = None
    before: bytes | None = None  # new parts beside this one, or inside it where it is a multipart/mixed
    after: bytes | None = None
    attached: list[bytes] = field(default_factory=list)
    replacement: bytes | None = None  # of the whole part; b"" removes it


class MessageEditor:
    r"""One message and the edits to it.

    Every operation either happens or raises and leaves the message as it was; one that finds its work done changes
    nothing, so a handler that is retried (E7), or is given the updated bytes (C4), edits once. Parts that no edit
    touches keep every byte, and so does the header: order, folding and spelling.

    Args:
        raw: The message as `GetRawMessageContent` returned it. It is not copied: leave a `bytearray` unchanged while
            the editor is in use.

    Raises:
        EditRefusedError: From every operation, when the message is malformed, so that mail programs read it in
            different ways (and WorkMail would reject the update, C8).
    """

    def __init__(self, raw: bytes | bytearray) -> None:
        self._raw = raw
        self._root: MimePart | None = None
        self._edits: dict[MimePart, _PartEdit] = {}
        self._insertions: dict[Place, list[Insertion]] = {Place.TOP: [], Place.BOTTOM: []}
        self._texts: dict[MimePart, TextBody] = {}
        self._bodies: Bodies | None = None
        self._rendered: list[tuple[int, int, bytes]] | None = None

    # --- the message as it came

    @property
    def raw(self) -> bytes | bytearray:
        """The message as it was given."""
        return self._raw

    @property
    def root(self) -> MimePart:
        """The message as a tree of parts, as it came."""
        if self._root is None:
            self._root = parse_message(self._raw)
        return self._root

    @property
    def parts(self) -> tuple[MimePart, ...]:
        """All parts in their order, the message itself first; attached messages are not entered."""
        return tuple(self.root.walk())

    @property
    def attachments(self) -> tuple[MimePart, ...]:
        """The parts a mail client offers as files, those inside a signature included."""
        return tuple(part for part in self.root.walk() if part.is_attachment)

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
        view = memoryview(self._raw)
        position = 0
        for start, end, new in self._splices():
            if start > position:
                yield view[position:start]
            if new:
                yield memoryview(new)
            position = end
        if position < len(view):
            yield view[position:]

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
        edit = self._edits.get(self.root, _PartEdit())
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
        block = self.root.block
        indexes = [index for index, entry in enumerate(block.fields) if entry.name.lower() == "subject"]
        indexes = [index for index in indexes if self._field(index)]
        if not indexes:
            if any(_has_prefix(subject, prefix) for subject in self.headers("Subject")):
                return False
            return self._append_field("Subject", prefix)
        changed = False
        for index in indexes:
            content = self._field(index)
            if not _has_prefix(decode_words(content.partition(b":")[2]), prefix):
                self._edit(self.root).fields[index] = _prefixed(content, prefix, self._eol)
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

        It goes to the very end, below a "-- " signature: clients drop both from the replies they quote, and each
        reply gets its own.
        """
        return self._insert(Place.BOTTOM, text, html)

    def attach(self, attachment: Attachment) -> bool:
        """Add an attachment, unless the message has one of this name and content.

        Returns:
            Whether the message changed.

        Raises:
            EditRefusedError: The message is malformed, encrypted, signed as a whole, or of a structure that another
                part would break.
        """
        part = attachment_part(attachment, self._eol)
        if part in self._edits.get(self.root, _PartEdit()).attached:
            return False
        for present in self.attachments:
            if present.filename == attachment.filename and _content_is(present, attachment.content):
                return False
        require_room_beside(self.root)
        self._edit(self.root).attached.append(part)
        return self._done(True)

    def remove_attachments(self, predicate: Callable[[MimePart], bool]) -> tuple[MimePart, ...]:
        """Remove the attachments for which the predicate holds.

        A multipart never becomes empty: where all its parts go, an empty text stays in place of the first.

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

        To be safe when it runs twice, the predicate should not hold for the replacement.

        Returns:
            What was replaced.

        Raises:
            EditRefusedError: The message is malformed, or one of them is inside a signature; none is replaced then.
        """
        return self._replace(predicate, replacement)

    # --- edits

    @property
    def _eol(self) -> bytes:
        return line_ending(self._raw, 0, len(self._raw))

    def _edit(self, part: MimePart) -> _PartEdit:
        return self._edits.setdefault(part, _PartEdit())

    def _done(self, changed: bool) -> bool:
        if changed:
            self._rendered = None
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
            fixed = ", ".join(sorted(IMMUTABLE_HEADERS))
            raise EditRefusedError(EditRefusal.IMMUTABLE_HEADER, f"{name} may not change, as none of {fixed} may")

    def _insert(self, place: Place, text: str, html: str | None) -> bool:
        insertion = new_insertion(place, text, html, message_identity=self._identity())
        if insertion in self._insertions[place]:
            return False
        if self._bodies is None:
            self._bodies = find_bodies(self.root)
        wanted = {**self._insertions, place: [*self._insertions[place], insertion]}
        before = self._splices()
        try:
            plans = self._plan_texts(wanted[Place.TOP], wanted[Place.BOTTOM])
        except EditRefusedError:
            self._texts.clear()
            raise
        self._insertions = wanted
        for part, plan in plans.items():
            self._edit(part).body = plan
        self._plan_beside(place)
        self._rendered = None
        return self._splices() != before

    def _identity(self) -> bytes:
        """What tells this message from every other: it stays over retries and updates."""
        named = [self.root.block.find(name) for name in ("message-id", "date", "from")]
        return b"".join(
            self.root.field_value(fields[0]).strip() for fields in (named[:1] if named[0] else named) if fields
        )

    def _plan_texts(
        self, banners: Sequence[Insertion], footers: Sequence[Insertion]
    ) -> dict[MimePart, BodyEdit | None]:
        bodies = self._bodies
        assert bodies is not None  # noqa: S101 - set by the only caller
        plans: dict[MimePart, BodyEdit | None] = {}
        vouched: set[Insertion] = set()
        texts = dict.fromkeys([*bodies.top, *bodies.bottom])
        # HTML first: its marks vouch for the plain text beside it.
        for part in sorted(
            (part for part in texts if part.is_text), key=lambda part: part.content_type == "text/plain"
        ):
            text = self._texts.get(part)
            if text is None:
                text = self._texts[part] = TextBody(part, may_quote_footer=self._is_reply())
            new_banners = _missing(banners, text.present(banners)) if part in bodies.top else []
            found = text.present(footers, vouched=vouched) if part in bodies.bottom else set()
            new_footers = _missing(footers, found) if part in bodies.bottom else []
            if text.is_html:
                vouched |= found
            plans[part] = text.plan(new_banners, new_footers) if new_banners or new_footers else None
        return plans

    def _is_reply(self) -> bool:
        block = self.root.block
        if block.find("in-reply-to") or block.find("references"):
            return True
        subjects = [decode_words(self.root.field_value(entry)) for entry in block.find("subject")]
        return any(_REPLY_MARKER.match(_TAGS.sub("", subject)) for subject in subjects)

    def _plan_beside(self, place: Place) -> None:
        """New parts for bodies that cannot be written into: signed ones, and messages without any."""
        bodies = self._bodies
        insertions = self._insertions[place]
        for part in bodies.top if bodies and place is Place.TOP else bodies.bottom if bodies else ():
            if part.is_text:
                continue
            new = _missing(insertions, _beside(part, insertions, place))
            ordered = list(reversed(new)) if place is Place.TOP else new
            content = text_part("\n\n".join(insertion.text for insertion in ordered), self._eol) if new else None
            if place is Place.TOP:
                self._edit(part).before = content
            else:
                self._edit(part).after = content

    def _replace(
        self, predicate: Callable[[MimePart], bool], replacement: Callable[[MimePart], Attachment] | None
    ) -> tuple[MimePart, ...]:
        gone = [part for part in self.attachments if self._edits.get(part, _PartEdit()).replacement is None]
        gone = [part for part in gone if predicate(part)]
        for part in gone:
            if part.signed_by is not None:
                raise EditRefusedError(
                    EditRefusal.SIGNED, f"{part.name} lies inside the signature of {part.signed_by.name}"
                )
        contents = [attachment_part(replacement(part), self._eol) if replacement else b"" for part in gone]
        changed = [
            (part, content)
            for part, content in zip(gone, contents, strict=True)
            if content != self._raw[part.start : part.end]
        ]
        for part, content in changed:
            self._edit(part).replacement = content
        for part, _ in changed:
            siblings = part.parent.children if part.parent else [part]
            if all(self._edits.get(sibling, _PartEdit()).replacement == b"" for sibling in siblings):
                self._edit(siblings[0]).replacement = text_part("", self._eol)
        self._done(bool(changed))
        return tuple(part for part, _ in changed)

    # --- the splices

    def _splices(self) -> list[tuple[int, int, bytes]]:
        if self._rendered is None:
            splices: list[tuple[int, int, bytes]] = []
            if self._edits:
                self._render(self.root, splices)
            self._rendered = [splice for splice in splices if splice[2] != self._raw[splice[0] : splice[1]]]
        return self._rendered

    def _render(self, part: MimePart, splices: list[tuple[int, int, bytes]]) -> None:
        """Write a part's splices in the order of their offsets."""
        edit = self._edits.get(part) or _PartEdit()
        block, eol = part.block, self._eol
        header = _Header(part, dict(edit.fields), [content for _, content in edit.appended], eol)
        body = list(edit.body.splices) if edit.body else []
        opening = closing = b""
        if edit.body:
            header.declare(edit.body)
        if edit.replacement:  # of the message itself; a part's is its parent's matter
            fields, _, content = edit.replacement.partition(eol * 2)
            header.take_content()
            header.appended.append(fields + eol)
            body = [(block.body_start, part.end, content + eol)]
        beside = [*filter(None, (edit.before,)), b"", *filter(None, (edit.after,)), *edit.attached]
        if len(beside) > 1 and not _holds_parts(part) and not (part.parent and _holds_parts(part.parent)):
            boundary = new_boundary(self._raw, self._identity())
            opening, closing = _wrapping(
                beside, boundary, header.take_content(), is_message=part.parent is None, eol=eol
            )
            header.appended.append(b'Content-Type: multipart/mixed; boundary="' + boundary + b'"' + eol)
        lead = header.write(splices)
        if lead and (opening or body):
            splices.append((block.body_start, block.body_start, lead))
        if opening:
            splices.append((block.body_start, block.body_start, opening))
        splices += body
        if part.children and not edit.replacement:
            self._render_children(part, edit, splices)
        if closing:
            splices.append((part.end, part.end, closing))

    def _render_children(self, part: MimePart, edit: _PartEdit, splices: list[tuple[int, int, bytes]]) -> None:
        delimiter = b"--" + part.parameters["boundary"].rstrip(" \t\r\n").encode("latin-1") + self._eol

        def insert(offset: int, new: bytes | None) -> None:
            if new is not None:
                splices.append((offset, offset, delimiter + new + self._eol))

        takes_parts = _holds_parts(part)
        if takes_parts:
            insert(part.delimiters[0], edit.before)
        for index, child in enumerate(part.children):
            start, following = part.delimiters[index], part.delimiters[index + 1]
            child_edit = self._edits.get(child) or _PartEdit()
            moves_out = takes_parts and not _holds_parts(child)
            if moves_out:
                insert(start, child_edit.before)
            if child_edit.replacement is None:
                self._render(child, splices)
            elif child_edit.replacement:
                splices.append((child.start, child.end, child_edit.replacement))
            else:
                splices.append((start, following, b""))
            if moves_out:
                insert(following, child_edit.after)
        if takes_parts:
            for new in (edit.after, *edit.attached):
                insert(part.delimiters[-1], new)


@dataclass(slots=True)
class _Header:
    """One part's header while its splices are made."""

    part: MimePart
    fields: dict[int, bytes]
    appended: list[bytes]
    eol: bytes

    def declare(self, body: BodyEdit) -> None:
        """Say what the edited body is in."""
        if body.charset or body.marks:
            self._declare_type(body)
        if body.transfer_encoding:
            self._set("Content-Transfer-Encoding", body.transfer_encoding.encode("ascii"))
        for index in self._indexes("content-md5"):
            self.fields[index] = b""

    def take_content(self) -> bytes:
        """Take the fields that describe the body out, to stand in a part of its own."""
        indexes = [i for i, entry in enumerate(self.part.block.fields) if entry.name.lower().startswith("content-")]
        taken = [_with_line_ending(self._current(index), self.eol) for index in indexes]
        taken += [content for content in self.appended if _describes_content(content)]
        self.appended = [content for content in self.appended if not _describes_content(content)]
        self.fields.update(dict.fromkeys(indexes, b""))
        return b"".join(taken)

    def write(self, splices: list[tuple[int, int, bytes]]) -> bytes:
        """Write the splices; return what has to stand before a body that is not there yet."""
        block = self.part.block
        if self.part.parent is None and not block.find("mime-version") and any(map(_describes_content, self.appended)):
            self.appended.append(b"MIME-Version: 1.0" + self.eol)
        for index in sorted(self.fields):
            splices.append((block.fields[index].start, block.fields[index].end, self.fields[index]))
        lead = block.separator
        new = b"".join(self.appended)
        if new and len(lead) > len(self.eol):  # the last field lacks its line ending
            new, lead = self.eol + new, self.eol
        if new:
            splices.append((block.end, block.end, new))
        return lead

    def _indexes(self, name: str) -> list[int]:
        return [i for i, entry in enumerate(self.part.block.fields) if entry.name.lower() == name]

    def _current(self, index: int) -> bytes:
        entry = self.part.block.fields[index]
        return self.fields.get(index, bytes(self.part.raw[entry.start : entry.end]))

    def _set(self, name: str, value: bytes) -> None:
        content = name.encode("ascii") + b": " + value + self.eol
        if indexes := self._indexes(name.lower()):
            self.fields[indexes[0]] = content
        else:
            self.appended.append(content)

    def _declare_type(self, body: BodyEdit) -> None:
        indexes = self._indexes("content-type")
        if not indexes or not parse_content_value(self._current(indexes[0]).partition(b":")[2]).word:
            charset = (body.charset or "us-ascii").encode("ascii")
            self._set("Content-Type", b"text/plain; charset=" + charset + self._marks(body, b""))
            return
        content = self._current(indexes[0])
        colon = content.index(b":") + 1
        value = parse_content_value(content[colon:])
        ending = content[len(content.rstrip(b"\r\n")) :]
        content = content[: len(content) - len(ending)].rstrip(b" \t;")
        if body.charset and (span := value.spans.get("charset")):
            start, end = (colon + offset for offset in span)
            content = content[:start] + body.charset.encode("ascii") + content[end:]
        elif body.charset and "charset" in value.parameters:  # in RFC 2231 form, maybe in several pieces
            others = {**value.parameters, "charset": body.charset}
            quoted = (f'; {name}="{text}"' for name, text in others.items())
            content = content[:colon] + f" {value.word}{''.join(quoted)}".encode("latin-1", "replace")
        elif body.charset:
            content += b"; charset=" + body.charset.encode("ascii")
        self.fields[indexes[0]] = (
            content + self._marks(body, value.parameters.get(MARK_PARAMETER, "").encode()) + ending
        )

    def _marks(self, body: BodyEdit, present: bytes) -> bytes:
        if not body.marks:
            return b""
        marks = [mark for mark in present.split(b"+") if mark] + [mark.encode("ascii") for mark in body.marks]
        return b";" + self.eol + b" " + MARK_PARAMETER.encode("ascii") + b"=" + b"+".join(marks)


def _one_line(text: str, what: str) -> str:
    if any(character in text for character in "\r\n\0"):
        raise ValueError(f"{what} has a line ending or NUL; give one line, it is folded where needed")
    return text


def _require_name(name: str) -> None:
    if not _FIELD_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no field name; printable ASCII without space and colon is allowed (RFC 5322)")
    if name.lower().startswith("content-") or name.lower() == "mime-version":
        raise ValueError(f"{name} describes the message's structure, which edits keep right themselves")


def _holds_parts(part: MimePart) -> bool:
    """Whether another part may simply be added to it."""
    return part.content_type == "multipart/mixed"


def _describes_content(field_bytes: bytes) -> bool:
    return field_bytes[:8].lower() == b"content-"


def _with_line_ending(content: bytes, eol: bytes) -> bytes:
    return content if not content or content.endswith(b"\n") else content + eol


def _wrapping(
    beside: Sequence[bytes], boundary: bytes, content_fields: bytes, *, is_message: bool, eol: bytes
) -> tuple[bytes, bytes]:
    """What stands before and behind a body that becomes a part of a new multipart/mixed.

    Args:
        beside: The new parts; an empty one stands for the body itself.
        boundary: Of the new multipart.
        content_fields: What describes the body.
        is_message: Whether nothing follows the new multipart.
        eol: The line ending.
    """
    delimiter = b"--" + boundary + eol
    at = beside.index(b"")
    opening = b"".join(delimiter + new + eol for new in beside[:at]) + delimiter + content_fields + eol
    closing = b"".join(eol + delimiter + new for new in beside[at + 1 :]) + eol + b"--" + boundary + b"--"
    return opening, closing + (eol if is_message else b"")


def _missing(wanted: Sequence[Insertion], present: Collection[Insertion]) -> list[Insertion]:
    return [insertion for insertion in wanted if insertion not in present]


def _beside(part: MimePart, insertions: Sequence[Insertion], place: Place) -> set[Insertion]:
    """Which insertions a text right beside a part consists of."""
    siblings = part.parent.children if part.parent and _holds_parts(part.parent) else []
    at = siblings.index(part) + (-1 if place is Place.TOP else 1) if siblings else -1
    if not 0 <= at < len(siblings) or siblings[at].content_type != "text/plain" or siblings[at].is_attachment:
        return set()
    return TextBody(siblings[at], may_quote_footer=False).present(insertions)


def _content_is(part: MimePart, content: bytes) -> bool:
    if part.size < len(content):
        return False
    try:
        return part.content() == content
    except EditRefusedError:
        return False


def _has_prefix(subject: str, prefix: str) -> bool:
    """Whether a subject has a prefix, at its start or behind reply markers and tags."""
    rest, wanted = " ".join(subject.split()), prefix.casefold()
    while not rest.casefold().startswith(wanted):
        marker = _REPLY_MARKER.match(rest) or _TAGS.match(rest)
        if not marker:
            return False
        rest = rest[marker.end() :]
    return True


def _prefixed(content: bytes, prefix: str, eol: bytes) -> bytes:
    """A Subject field with a prefix before its value, whose bytes stay."""
    colon = content.index(b":") + 1
    value_start = len(content) - len(content[colon:].lstrip(b" \t\r\n"))
    lead, value = content[:value_start], content[value_start:]
    if not value:  # no subject: the white space was all there was
        return content[:colon] + b" " + encode_words(prefix, eol=eol, width=colon + 1) + eol
    column = len(lead) - (lead.rfind(b"\n") + 1)
    encoded = encode_words(prefix, eol=eol, width=column, before_encoded_word=starts_with_encoded_word(value))
    first_line = len(value.partition(b"\n")[0].rstrip(b"\r"))
    fits = len(encoded.rpartition(b"\n")[2]) + column + 1 + first_line <= MAX_LINE
    return lead + encoded + (b" " if fits else eol + b" ") + value
