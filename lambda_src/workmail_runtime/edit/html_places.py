"""Where in an HTML document a banner and a footer belong."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser

# Elements that stand in the head without opening the body (HTML standard, "before head" to "after head").
_HEAD_ELEMENTS = frozenset({"html", "head", "title", "meta", "link", "style", "script", "base"})
# In these, tags are text (HTML standard, "parsing HTML fragments").
_TEXT_ELEMENTS = ("title", "style", "script", "textarea", "xmp", "iframe", "noembed", "noframes")


@dataclass(frozen=True, slots=True)
class HtmlPlaces:
    """Offsets into a document.

    Attributes:
        top: Behind the body's start tag; without one, before the first content.
        bottom: Before the last end tag of the body, else of the document, else the end; never inside a comment,
            a tag or a script that is not closed.
        charset: What a meta element declares, in lower case; empty without one.
    """

    top: int
    bottom: int
    charset: str


def find_html_places(document: str) -> HtmlPlaces:
    """Find the places with the HTML parser, so that comments, scripts and attributes are no tags; never raises."""
    parser = _PlacesParser()
    parser.feed(document)  # not closed: what is left over is an unfinished construct, looked at below
    bottom = len(document)
    if unfinished := parser.unfinished:
        bottom = len(document) - unfinished
    if parser.open_text_element is not None:
        bottom = parser.open_text_element
    elif parser.end_tag is not None:
        bottom = parser.end_tag
    top = parser.body if parser.body is not None else parser.first_content
    return HtmlPlaces(min(bottom if top is None else top, bottom), bottom, parser.charset)


class _PlacesParser(HTMLParser):
    """Notes offsets while it reads; keeps no text."""

    CDATA_CONTENT_ELEMENTS = _TEXT_ELEMENTS  # type: ignore[misc]  # typeshed has it final; the class reads it

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.body: int | None = None
        self.first_content: int | None = None
        self.charset = ""
        self._body_end: int | None = None
        self._html_end: int | None = None
        self._text_element: tuple[str, int] | None = None
        self._line = 1
        self._line_start = 0
        self._document = ""

    def feed(self, data: str) -> None:
        self._document = data
        super().feed(data)

    @property
    def end_tag(self) -> int | None:
        """Where the last end tag of the body stands, else that of the document."""
        return self._html_end if self._body_end is None else self._body_end

    @property
    def open_text_element(self) -> int | None:
        """Where an element begins whose text is never shown and whose end is missing."""
        return self._text_element[1] if self._text_element and self.cdata_elem else None

    @property
    def unfinished(self) -> int:
        """Characters of a tag or comment that is not closed."""
        rest = self.rawdata
        return len(rest) if len(rest) > 1 and rest[0] == "<" and (rest[1].isalpha() or rest[1] in "/!?") else 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body" and self.body is None:
            self.body = self._offset() + len(self.get_starttag_text() or "")
        if tag == "meta":
            self._note_charset(dict(attrs))
        if tag not in _HEAD_ELEMENTS:
            self._note_content()
        if tag in _TEXT_ELEMENTS:
            self._text_element = (tag, self._offset())

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self._close(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "body":
            self._body_end = self._offset()
        elif tag == "html":
            self._html_end = self._offset()
        self._close(tag)

    def handle_data(self, data: str) -> None:
        if data.strip(" \t\r\n\f"):
            self._note_content()

    def handle_entityref(self, name: str) -> None:
        self._note_content()

    def handle_charref(self, name: str) -> None:
        self._note_content()

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        # "<![if !mso]>" and CDATA are comments that end at the next ">" in HTML; the base class raises on them.
        end = self.rawdata.find(">", i)
        return -1 if end < 0 else end + 1

    def _close(self, tag: str) -> None:
        if self._text_element and self._text_element[0] == tag:
            self._text_element = None

    def _note_content(self) -> None:
        if self.first_content is None and self._text_element is None:
            self.first_content = self._offset()

    def _note_charset(self, attributes: dict[str, str | None]) -> None:
        declared = attributes.get("charset") or (attributes.get("content") or "").lower().partition("charset=")[2]
        self.charset = self.charset or declared.strip(" \"';").lower()

    def _offset(self) -> int:
        line, column = self.getpos()
        while self._line < line:
            self._line_start = self._document.index("\n", self._line_start) + 1
            self._line += 1
        return self._line_start + column
