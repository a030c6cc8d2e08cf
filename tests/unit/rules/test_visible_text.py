"""What a reader sees of HTML, judged by the reference parser."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.edit.judges import shown_by_html5lib
from workmail_rules.visible_text import MAX_BODY_BYTES, visible_text

_WORDS = st.text(alphabet="abc &;#<>\"'=/!-\u00e9", max_size=12).map(
    lambda text: text.replace("&", "&amp;").replace("<", "&lt;")
)
_NAMES = st.sampled_from(["p", "div", "span", "b", "li", "td", "blockquote", "section", "font"])
_ATTRIBUTES = st.sampled_from(["", ' class="a>b"', " title='<p hidden>'", " id=x", ' data-x = "=\'"', " hidden"])


def _element(content: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.builds(
        lambda name, attributes, inner: f"<{name}{attributes}>{inner}</{name}>", _NAMES, _ATTRIBUTES, content
    )


_ODD = st.sampled_from(
    ["<br>", "<br/>", "<hr>", "<!-- x > y -->", "<!-->", "<!doctype html>", "<script>a < b</script>", "<img src=x>"]
)
_DOCUMENTS = st.recursive(
    st.one_of(_WORDS, _ODD),
    lambda inner: st.one_of(_element(inner), st.lists(inner, max_size=4).map("".join)),
    max_leaves=12,
)


def _letters(text: str) -> str:
    return "".join(text.split())


@given(_DOCUMENTS)
def test_it_shows_what_the_reference_parser_shows(document: str) -> None:
    document = f"<body>{document}</body>"
    assert _letters(visible_text(document)) == _letters(shown_by_html5lib(document))


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("One<br>Two<div>Three</div>", "One\nTwo\nThree"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("a &lt;b&gt; &amp; &#233;&nbsp;c", "a <b> & \u00e9\u00a0c"),
        ('a<span style="DISPLAY:none">b<span>c</span></span>d', "ad"),
        ("a<!--[if mso]>b<![endif]-->c", "ac"),
        ("<style>a{}</style>b<TITLE>c</TITLE >d", "bd"),
        ("1 < 2 and 3 <4", "1 < 2 and 3 <4"),
        ("a<p title='b", "a"),
        ("a<script>b", "a"),
    ],
)
def test_what_is_shown(markup: str, text: str) -> None:
    assert visible_text(markup) == text


@pytest.mark.parametrize(
    "unit",
    [
        "<",
        "<a ",
        "<!--",
        "<p hidden>",
        "<script>",
        '="',
        "<a b='",
        "&",
        "&#",
        "<a =\"'",
        "<div>",
        "</",
        "<p style='a",
        " ",
    ],
)
def test_the_worst_body_takes_less_than_two_seconds(unit: str) -> None:
    started = time.process_time()
    visible_text("<a " + unit * (MAX_BODY_BYTES // len(unit)))
    visible_text(unit * (MAX_BODY_BYTES // len(unit)))
    assert time.process_time() - started < 2


@given(st.text())
def test_whatever_it_is_there_is_a_text(markup: str) -> None:
    assert len(visible_text(markup)) <= 3 * len(markup) + 10
