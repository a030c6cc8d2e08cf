"""What is posted to a chat: nothing of a hostile message can ping, link or be formatted, judged by other parsers."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tests.unit.rules.stub_services import new_message
from workmail_rules.chat_document import MAX_CHARACTERS, filled, one_line, slack_message, teams_message, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = [
    "<!channel> <!here> <!everyone> @channel @here @everyone",
    "<@U012AB3CD> <#C012AB3CD> <!subteam^SAZ94GDB8>",
    "<https://evil.example|https://bank.example> https://evil.example www.evil.example evil@evil.example",
    "<at>Everyone</at> <a href='https://evil.example'>x</a> <img src=x onerror=alert(1)> <script>alert(1)</script>",
    "[bank](https://evil.example) ![x](https://evil.example/x.png) <https://evil.example>",
    "# heading", "> quote", "- item", "+ item", "1. item", "1) item", "---", "***", "```code```", "    code",
    "*bold* _it_ ~gone~ `code` **b** __b__ ~~s~~ | a | b |", ":tada: &#64;channel &lt;!here&gt; \\*x\\*",
    "{subject} {sender} {{DATE(2017-02-14T06:00:00Z)}} ${x} {0} %s",
    "line\r\n# heading\u2028- item\u2029> quote\x0b\x0c\x85\t\x00\x1b[31m",
    "\u202egnp.exe\u202c \u2066x\u2069 a\u200bb\ufeff \ud800 \U000e0041",
    '", "blocks": [{"type": "image"}], "x": "',
]  # fmt: skip
ANY_TEXT = st.one_of(st.text(st.characters(exclude_categories=())), st.sampled_from(HOSTILE))


def nodes_of(document: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a document."""
    children = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    if isinstance(document, dict):
        yield document
    for each in children:
        yield from nodes_of(each)


def literal(document: Any, kind: str) -> list[str]:
    return [node["text"] for node in nodes_of(document) if node.get("type") == kind and "text" in node]


@given(subject=ANY_TEXT)
def test_in_slack_a_value_stands_only_where_there_is_no_markup(subject: str) -> None:
    value = values_of(new_message(subject=subject))["subject"]
    document = json.loads(json.dumps(slack_message("Look, <!here>", [("Subject", value)]), ensure_ascii=False).encode())
    assert literal(document, "text") == ["Subject: ", value]
    assert document == slack_message("Look, <!here>", [("Subject", value)])
    assert literal(document, "mrkdwn") == [document["text"]] == ["Look, <!here>"]
    kinds = {node["type"] for node in nodes_of(document) if "type" in node}
    assert kinds == {"section", "mrkdwn", "rich_text", "rich_text_section", "text"}
    assert (document["unfurl_links"], document["unfurl_media"]) == (False, False)


@given(subject=ANY_TEXT)
def test_in_a_teams_card_a_value_stands_only_where_there_is_no_markup(subject: str) -> None:
    value = values_of(new_message(subject=subject))["subject"]
    document = json.loads(json.dumps(teams_message("**Look**", [("Subject", value)]), ensure_ascii=False).encode())
    assert literal(document, "TextRun") == ["Subject: ", value]
    assert literal(document, "TextBlock") == ["**Look**"]
    kinds = {node["type"] for node in nodes_of(document) if "type" in node}
    assert kinds == {"message", "AdaptiveCard", "TextBlock", "RichTextBlock", "TextRun"}
    assert {node["contentType"] for node in nodes_of(document) if "contentType" in node} == {
        "application/vnd.microsoft.card.adaptive"
    }


def shown_by_commonmark(source: str) -> tuple[set[str], str]:
    """Return the kinds of all that CommonMark with tables and strikethrough finds, and the text that it shows."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)
    inline = [child for token in tokens for child in token.children or ()]
    return {each.type for each in (*tokens, *inline)}, "".join(each.content for each in inline)


@pytest.mark.parametrize("before", ["", "About: "])
@given(subject=ANY_TEXT)
def test_markdown_shows_a_value_as_text_that_mentions_nobody(before: str, subject: str) -> None:
    value = values_of(new_message(subject=subject))["subject"]
    document = filled({"text": f"{before}{{subject}}"}, {"subject": value}, "MARKDOWN")
    kinds, shown = shown_by_commonmark(document["text"])
    assert kinds <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}
    assert shown == before + value.replace("@", "@\u200b")


@given(subject=ANY_TEXT)
def test_html_shows_a_value_as_text(subject: str) -> None:
    value = values_of(new_message(subject=subject))["subject"]
    document = filled({"text": "<b>{subject}</b>"}, {"subject": value}, "HTML")
    (bold,) = html5lib.parseFragment(document["text"], namespaceHTMLElements=False)
    assert (bold.tag, list(bold), bold.text) == ("b", [], value)


@given(text=ANY_TEXT)
def test_a_value_is_one_line_that_can_be_read(text: str) -> None:
    line = one_line(text)
    assert len(line) <= MAX_CHARACTERS
    assert line == line.strip()
    hidden = [each for each in line if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}]
    assert (hidden, len(line.splitlines()) <= 1) == ([], True)


def test_a_long_value_is_cut_and_says_so() -> None:
    assert one_line("x" * 10_000_000) == "x" * 299 + "…"
    assert one_line("x" * 300) == "x" * 300


def test_a_value_that_holds_a_placeholder_is_not_filled_again() -> None:
    document = filled(
        {"title": "{subject}", "fields": [{"from": "{sender}", "n": 1}]},
        {"subject": "{sender}", "sender": "alice"},
        "NONE",
    )
    assert document == {"title": "{sender}", "fields": [{"from": "alice", "n": 1}]}


def test_braces_that_name_nothing_stay() -> None:
    assert filled("{ {} {A} { subject }", {}, "NONE") == "{ {} {A} { subject }"


@pytest.mark.fact("E3")
def test_the_values_are_those_of_the_recipients_that_the_step_is_for() -> None:
    values = values_of(new_message(sender={"address": "bob@corp.example"}, recipients=["carol@corp.example"]))
    assert values == {
        "subject": "Secret merger",
        "sender": "bob@corp.example on behalf of alice@partner.example",
        "recipients": "carol@corp.example",
        "recipient_count": "1",
        "direction": "INBOUND",
        "message_id": "00aabbcc-1122-3344-5566-77889900aabb",
    }


def test_many_recipients_are_counted() -> None:
    addresses = [f"{index}@corp.example" for index in range(500)]
    envelope = {"mailFrom": {"address": ""}, "recipients": [{"address": each} for each in addresses]}
    values = values_of(new_message(envelope=envelope))
    assert values["recipients"].startswith("and 490 more: 0@corp.example, 1@corp.example, ")
    assert values["sender"] == "(none)"
