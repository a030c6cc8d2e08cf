"""Text of others in the runbooks' tables, read by an independent parser."""

from __future__ import annotations

import re
from html import unescape

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from workmail_flow.markdown import code, plain

TEXT = st.text(st.sampled_from("ab`|\\*_<>&[]#~ ") | st.characters(codec="utf-8", categories=["L", "N"]), min_size=1)
ONE_LINE = TEXT.map(str.strip).filter(bool)


def shown(cell: str) -> list[str]:
    """Return what the cells of a table's row with this cell and another one show."""
    html = MarkdownIt("gfm-like", {"linkify": False}).render(f"| a | b |\n| --- | --- |\n| {cell} | end |\n")
    return [unescape(re.sub("</?code>", "", each)) for each in re.findall("<td>(.*?)</td>", html)]


@given(ONE_LINE)
@example("``")
@example("a`b``c|d")
@example("\\|")
def test_code_shows_the_text_as_it_is(text: str) -> None:
    assert shown(code(text)) == [text, "end"]


@given(ONE_LINE)
@example("<b>")
def test_plain_shows_the_text_as_it_is(text: str) -> None:
    assert [" ".join(each.split()) for each in shown(plain(text))] == [" ".join(text.split()), "end"]
