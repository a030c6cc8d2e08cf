"""Checks the texts that steps show: their placeholders, and that markup is whole."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Final

from workmail_constructs.stack_record import is_known
from workmail_flow.placeholders import PLACEHOLDER, PLACEHOLDERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_VOID: Final = frozenset("area base br col embed hr img input link meta source track wbr".split())  # noqa: SIM905
_TEXT_IS_NO_TEXT: Final = frozenset({"script", "style", "title", "textarea"})


def check_texts(step: str, text: str | None, html: str | None) -> None:
    """Check the texts of a banner or footer. A token is not known before it is deployed, and so is not checked.

    Raises:
        ValueError: Neither is given; one shows nothing, or has a placeholder that does not exist or stands where it
            cannot be filled safely; or the markup is not whole. The message names all problems.
    """
    if text is None and html is None:
        raise ValueError(f"{step}: found neither text nor html; give at least one, the other is derived from it")
    problems: list[str] = []
    if text is not None and is_known(text):
        problems += _text_problems("text", text, PLACEHOLDERS)
    if html is not None and is_known(html):
        problems += _html_problems(html)
    if problems:
        raise ValueError(f"{step}: {'; '.join(problems)}")


def check_prefix(step: str, prefix: str, *, longest: int, placeholders: Sequence[str]) -> None:
    """Check a text of one line.

    Raises:
        ValueError: It is empty, too long or of several lines, or has a placeholder that it may not have.
    """
    if not is_known(prefix):
        return
    problems = list(_text_problems("prefix", prefix, placeholders))
    if len(prefix) > longest:
        problems.append(
            f"prefix: found {len(prefix)} characters; at most {longest} are allowed, for it is looked for only where a "
            "list of messages shows it"
        )
    if not PLACEHOLDER.sub("", prefix).isprintable():
        problems.append("prefix: found a line end or a control character; give one line of text")
    if problems:
        raise ValueError(f"{step}: {'; '.join(problems)}")


def _text_problems(argument: str, text: str, allowed: Sequence[str]) -> Iterator[str]:
    if not text.strip():
        yield f"{argument}: found an empty text; give the text to show"
    unknown = dict.fromkeys(name for name in PLACEHOLDER.findall(text) if name not in allowed)
    if unknown:
        found = ", ".join(f"{{{name}}}" for name in unknown)
        yield f"{argument}: found the placeholder {found}; allowed are {', '.join(f'{{{name}}}' for name in allowed)}"


def _html_problems(html: str) -> Iterator[str]:
    yield from _text_problems("html", html, PLACEHOLDERS)
    reading = _Markup()
    reading.feed(html)
    reading.close()
    if html.strip() and not reading.shows:
        yield "html: found nothing to show; give markup with text"
    if reading.misplaced:
        yield (
            f"html: found {', '.join(reading.misplaced)} inside a tag, comment, script or style, where the sender "
            "could write markup with it; place it between tags"
        )
    if reading.unmatched:
        yield (
            f"html: found {', '.join(reading.unmatched)} without its other half; close each element, for what is left "
            "open takes in the message"
        )


class _Markup(HTMLParser):
    """Finds placeholders that are not between tags, and tags without their other half."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.shows = False
        self.misplaced: list[str] = []
        self._open: list[str] = []
        self._stray: list[str] = []

    @property
    def unmatched(self) -> list[str]:
        return [*self._stray, *(f"<{name}>" for name in self._open)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._misplace(self.get_starttag_text() or "")
        self.shows = self.shows or tag == "img"
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # the slash closes a void element only

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()
        elif tag not in _VOID:
            self._stray.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in _TEXT_IS_NO_TEXT:
            self._misplace(data)
        else:
            self.shows = self.shows or bool(data.strip())

    def handle_comment(self, data: str) -> None:
        self._misplace(data)

    def handle_decl(self, decl: str) -> None:
        self._misplace(decl)

    def unknown_decl(self, data: str) -> None:
        self._misplace(data)

    def handle_pi(self, data: str) -> None:
        self._misplace(data)

    def _misplace(self, markup: str) -> None:
        self.misplaced += [f"{{{name}}}" for name in PLACEHOLDER.findall(markup) if name in PLACEHOLDERS]
