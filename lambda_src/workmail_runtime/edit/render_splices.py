"""Turning the edits of a message's parts into splices of its bytes."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workmail_runtime.edit.content_value import parse_content_value
from workmail_runtime.edit.header_block import line_ending
from workmail_runtime.edit.new_part import new_boundary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workmail_runtime.edit.mime_part import MimePart
    from workmail_runtime.edit.text_body import BodyEdit

_NOT_QUOTED = re.compile(r"[\x00-\x1f\x7f\"\\]")

Splice = tuple[int, int, bytes]
"""Start, end and the new bytes between them."""


@dataclass(slots=True)
class PartEdit:
    """What is to change at one part; empty containers where nothing is."""

    fields: dict[int, bytes] = field(default_factory=dict)  # by index in the block; b"" removes it
    appended: list[tuple[str, bytes]] = field(default_factory=list)
    body: BodyEdit | None = None
    before: bytes | None = None  # new parts beside this one, or inside it where it is a multipart/mixed
    after: bytes | None = None
    attached: list[bytes] = field(default_factory=list)
    replacement: bytes | None = None  # of the whole part; b"" removes it


def render_splices(root: MimePart, edits: Mapping[MimePart, PartEdit], *, identity: bytes) -> list[Splice]:
    """All splices in the order of their offsets, without those that change nothing.

    Args:
        root: The message.
        edits: By part.
        identity: Of the message; new boundaries are derived from it, so that a retry makes the same bytes.
    """
    splices = _Renderer(edits, line_ending(root.raw, root.start, root.end), identity).render(root)
    return [splice for splice in splices if splice[2] != root.raw[splice[0] : splice[1]]]


class _Renderer:
    def __init__(self, edits: Mapping[MimePart, PartEdit], eol: bytes, identity: bytes) -> None:
        self._edits = edits
        self._eol = eol
        self._identity = identity
        self._splices: list[Splice] = []

    def render(self, root: MimePart) -> list[Splice]:
        self._render(root)
        return self._splices

    def _edit(self, part: MimePart) -> PartEdit:
        return self._edits.get(part) or PartEdit()

    def _insert(self, offset: int, new: bytes) -> None:
        if new:
            self._splices.append((offset, offset, new))

    def _render(self, part: MimePart) -> None:
        edit, block, eol = self._edit(part), part.block, self._eol
        header = _Header(part, dict(edit.fields), [content for _, content in edit.appended], eol)
        body: list[Splice] = list(edit.body.splices) if edit.body else []
        opening = closing = b""
        if edit.body:
            header.declare(edit.body)
        if edit.replacement:  # of the message itself; a part's is its parent's matter
            fields, _, content = edit.replacement.partition(eol * 2)
            header.take_content()
            header.appended.append(fields + eol)
            body = [(block.body_start, part.end, content + eol)]
        beside = [*filter(None, (edit.before,)), b"", *filter(None, (edit.after,)), *edit.attached]
        if len(beside) > 1 and not takes_parts(part) and not (part.parent and takes_parts(part.parent)):
            boundary = new_boundary(part, self._identity)
            opening, closing = _wrapping(
                beside, boundary, header.take_content(), is_message=part.parent is None, eol=eol
            )
            header.appended.append(b'Content-Type: multipart/mixed; boundary="' + boundary + b'"' + eol)
        lead = header.write(self._splices)
        self._insert(block.body_start, lead + opening if opening or body else b"")
        self._splices += body
        if part.children and not edit.replacement:
            self._render_children(part, edit)
        self._insert(part.end, closing)

    def _render_children(self, part: MimePart, edit: PartEdit) -> None:
        delimiter = b"--" + part.boundary + self._eol

        def insert(offset: int, *parts: bytes | None) -> None:
            for new in parts:
                self._insert(offset, delimiter + new + self._eol if new else b"")

        is_open = takes_parts(part)
        if is_open:
            insert(part.delimiters[0], edit.before)
        for child, (start, following) in zip(part.children, itertools.pairwise(part.delimiters), strict=True):
            child_edit = self._edit(child)
            moves_out = is_open and not takes_parts(child)
            if moves_out:
                insert(start, child_edit.before)
            if child_edit.replacement is None:
                self._render(child)
            elif child_edit.replacement:
                self._splices.append((child.start, child.end, child_edit.replacement))
            else:
                self._splices.append((start, following, b""))
            if moves_out:
                insert(following, child_edit.after)
        if is_open:
            insert(part.delimiters[-1], edit.after, *edit.attached)


@dataclass(slots=True)
class _Header:
    """One part's header while its splices are made."""

    part: MimePart
    fields: dict[int, bytes]
    appended: list[bytes]
    eol: bytes

    def declare(self, body: BodyEdit) -> None:
        """Say what the edited body is in."""
        if body.charset:
            self._declare_charset(body.charset)
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
        if len(lead) > len(self.eol):  # the last field lacks its line ending, unless it was written anew
            last = self.fields.get(len(block.fields) - 1)
            if last is not None and (not last or last.endswith(b"\n")):
                lead = self.eol
            elif new:
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

    def _declare_charset(self, charset: str) -> None:
        indexes = self._indexes("content-type")
        fresh = f"{self.part.content_type}; charset={charset}".encode("latin-1", "replace")
        if not indexes or parse_content_value(self._current(indexes[0]).partition(b":")[2]).word.count("/") != 1:
            self._set("Content-Type", fresh)
            return
        content = self._current(indexes[0])
        colon = content.index(b":") + 1
        value = parse_content_value(content[colon:])
        ending = content[len(content.rstrip(b"\r\n")) :]
        content = content[: len(content) - len(ending)].rstrip(b" \t;")
        if span := value.spans.get("charset"):
            start, end = (colon + offset for offset in span)
            content = content[:start] + charset.encode("ascii") + content[end:]
        elif "charset" in value.parameters:  # in RFC 2231 form, maybe in several pieces
            others = {**value.parameters, "charset": charset}
            quoted = (_parameter(name, text) for name, text in others.items())
            content = content[:colon] + f" {value.word}{''.join(quoted)}".encode("latin-1", "replace")
        else:
            content += b"; charset=" + charset.encode("ascii")
        if parse_content_value(content[colon:]).parameters.get("charset") != charset:
            self._set("Content-Type", fresh)  # a comment or quote that is never closed swallowed what was added
            return
        self.fields[indexes[0]] = content + ending


def _parameter(name: str, text: str) -> str:
    """A parameter in quotes; a decoded value may hold line endings, which must not become header lines."""
    return f'; {name}="{_NOT_QUOTED.sub("", text)}"'


def takes_parts(part: MimePart) -> bool:
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
