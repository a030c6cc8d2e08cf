"""The texts of a message, judged by Python's own email package and HTML parser."""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.policy import SMTP
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workmail_rules.message_texts import MAX_BYTES, simplified, texts_of, visible_text
from workmail_rules.step_errors import StepError
from workmail_runtime.edit import EditRefusedError

SECRET = "4111 1111 1111 1111"


def mail(text: str = "Hello", **parts: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = "a@example.com"
    message["Subject"] = parts.get("subject", "Agenda")
    message.set_content(text)
    return message


def shown(message: EmailMessage | bytes) -> str:
    return "\n".join(texts_of(bytes(message)))


@pytest.mark.parametrize("charset", ["us-ascii", "utf-8", "iso-8859-1", "windows-1252", "koi8-r", "utf-16"])
@pytest.mark.parametrize("cte", ["base64", "quoted-printable"])
def test_a_body_is_read_in_its_encoding(charset: str, cte: str) -> None:
    message = EmailMessage(policy=SMTP)
    message.set_content(SECRET, charset=charset, cte=cte)
    assert SECRET in shown(message)


def test_subject_html_text_attachments_and_attached_messages_are_read() -> None:
    message = mail(subject="Sübject-text")
    message.add_alternative("<p>Html<b>-text</b></p>", subtype="html")
    message.add_attachment("csv-text", subtype="csv", filename="a.csv")
    message.add_attachment(b"named-text", maintype="application", subtype="octet-stream", filename="B.TXT")
    message.add_attachment(b"<b>page</b>-text", maintype="application", subtype="octet-stream", filename="c.html")
    message.add_attachment(b'{"json-text": 1}', maintype="application", subtype="json", filename="d")
    message.add_attachment(b"picture-text", maintype="image", subtype="png", filename="e.png")
    message.add_attachment(mail("inner-text", subject="Inner-subject"))
    text = shown(message)
    for expected in ("Sübject", "Html", "csv", "named", "page", '{"json', "inner"):
        assert f"{expected}-text" in text
    assert "Inner-subject" in text
    assert "picture-text" not in text


def test_a_flowed_line_goes_on() -> None:
    raw = b"Subject: x\r\nContent-Type: text/plain; format=flowed\r\n\r\n4111 1111 \r\n1111 1111\r\n"
    assert SECRET in shown(raw)
    assert SECRET not in shown(raw.replace(b"; format=flowed", b""))


@pytest.mark.parametrize(
    "written",
    [
        "4111\u00a01111\u20091111\u202f1111",
        "4111\u20111111\u20131111\u22121111",
        "41\u200b11\u00ad 1111\u2060 1111 11\ufeff11",
        SECRET.translate({code: code + 0xFEE0 for code in range(0x30, 0x3A)}),  # full width
        SECRET.translate({code: code + 0x0630 for code in range(0x30, 0x3A)}),  # Arabic
    ],
)
def test_characters_that_look_like_others_or_like_nothing_hide_no_number(written: str) -> None:
    assert simplified(written).replace("-", " ") == SECRET


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>4111<b></b> 1111<span x='1'> 1111</span>\n1111</p>", SECRET),
        ("4111<!-- 9 --> 1111<!----> 1111 1111", SECRET),
        ("4&#49;&#x31;1&nbsp;1111 1111 111&#49", SECRET),
        ("<td>1</td><td>2</td>", "1\n\n2"),
        ("1<br>2<BR/>3", "1\n2\n3"),
        ("a < b > c", "a < b > c"),
        ("x <!-- never closed", "x never closed"),
    ],
)
def test_html_is_read_as_it_is_shown(html: str, text: str) -> None:
    assert simplified(visible_text(html)).strip() == text


class Shown(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


HTML_PIECES = st.lists(
    st.one_of(
        st.text("0123456789 abc&;\n\u00e9", max_size=6),
        st.sampled_from(
            ["<b>", "</b>", "<p class='1'>", "</p>", "<br/>", "<td>", "<!-- 4111 -->", "&#49;", "&amp;", "&eacute;"]
        ),
    ),
    max_size=12,
).map("".join)


@given(html=HTML_PIECES)
def test_what_is_shown_is_what_an_html_parser_shows(html: str) -> None:
    parser = Shown()
    parser.feed(html)
    parser.close()
    assert re.sub(r"\s", "", visible_text(html)) == re.sub(r"\s", "", parser.text)


def test_a_number_that_no_character_has_is_no_error() -> None:
    assert visible_text(f"a&#{'9' * 5000};b&#x{'f' * 5000};c") == "abc"


@pytest.mark.parametrize("unit", ["<", "<a ", "<!--", "&#", "&#1", "&", "<!-- -->", "<b>", "<a"])
def test_hostile_html_is_read_in_time_that_grows_with_it(unit: str) -> None:
    visible_text(unit * (400_000 // len(unit)))


def test_text_beyond_the_limit_is_named_once_the_rest_is_read() -> None:
    texts = texts_of(bytes(mail("x" * 70 + "\r\n")) + b"y" * (MAX_BYTES + 10))
    subject, body = next(texts), next(texts)
    assert len(subject + body) == MAX_BYTES
    with pytest.raises(StepError, match="more text than"):
        next(texts)


def test_messages_in_one_another_are_read_to_a_depth() -> None:
    message = mail("innermost")
    for _ in range(5):
        outer = mail()
        outer.add_attachment(message)
        message = outer
    assert "innermost" in shown(message)
    outer = mail()
    outer.add_attachment(message)
    with pytest.raises(StepError, match="messages in one another"):
        shown(outer)


@given(
    raw=st.binary(max_size=300),
    head=st.sampled_from([b"", b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n"]),
)
def test_any_bytes_are_read_or_refused(raw: bytes, head: bytes) -> None:
    try:
        list(texts_of(head + raw))
    except (StepError, EditRefusedError):
        return
