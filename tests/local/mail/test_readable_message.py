"""What a reader sees of a message, whatever its structure."""

from __future__ import annotations

import base64
import time
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest

from workmail_local.mail.readable_message import MOST_INLINED, MOST_SHOWN, readable_message

if TYPE_CHECKING:
    from collections.abc import Callable

PICTURE = b"\x89PNG picture"


def multipart(kind: str, *parts: str) -> bytes:
    inner = "".join(f"--b\r\n{part}\r\n" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="b"\r\n\r\n{inner}--b--\r\n'.encode()


PLAIN = "Content-Type: text/plain\r\n\r\nplain <b>"
HTML = "Content-Type: text/html\r\n\r\n<p>html</p>"


def test_html_is_read_rather_than_its_alternative() -> None:
    readable = readable_message(multipart("alternative", HTML, PLAIN))
    assert (readable.html, readable.text, readable.attachments) == ("<p>html</p>", None, [])


def test_parts_that_follow_one_another_are_all_read() -> None:
    assert readable_message(multipart("mixed", PLAIN, HTML)).html == "<pre>plain &lt;b&gt;</pre>\n<p>html</p>"
    assert readable_message(multipart("mixed", PLAIN, PLAIN)).text == "plain <b>\nplain <b>"


def test_what_is_attached_is_listed_and_not_read() -> None:
    message = EmailMessage()
    message.set_content("text")
    message.add_attachment("<p>", subtype="html", filename="grüße.html")
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("<script>", subtype="html")
    message.add_attachment(inner)
    readable = readable_message(bytes(message))
    assert (readable.html, readable.text) == (None, "text\n")
    names = [(one["name"], one["type"]) for one in readable.attachments]
    assert names == [("grüße.html", "text/html"), ("part 3", "message/rfc822")]


@pytest.mark.parametrize("charset", ["utf-8", "nonsense", "punycode", "hex", "unicode_escape", "utf-7", "idna"])
def test_a_character_set_never_fails(charset: str) -> None:
    head = f"Content-Type: text/plain; charset={charset}\r\n\r\n".encode()
    assert readable_message(head + b"a\\x\xff+2D0-z").text is not None


def test_a_message_without_anything_to_read_is_no_error() -> None:
    for message in (b"", b"Subject: x\r\n\r\n", b"Content-Type: image/png\r\n\r\nx"):
        assert readable_message(message).html is None


def test_own_pictures_are_part_of_the_html_and_others_are_counted() -> None:
    html = (
        "Content-Type: text/html\r\n\r\n<img src='cid:one'><img src=cid:gone><img src=cid:script>"
        "<img src='https://a.test/1'><td background = //a.test/2><p style='x: URL( \"http://a.test/3'>"
        "<a href='https://a.test/4'>"
    )
    picture = f"Content-Type: image/png\r\nContent-ID: <one>\r\n\r\n{PICTURE.decode('latin-1')}"
    svg = "Content-Type: image/svg+xml\r\nContent-ID: <script>\r\n\r\n<svg/>"
    readable = readable_message(multipart("related", html, picture, svg).decode().encode("latin-1"))
    assert readable.html is not None
    assert f"<img src='data:image/png;base64,{base64.b64encode(PICTURE).decode()}'>" in readable.html
    assert "cid:gone" in readable.html
    assert "cid:script" in readable.html
    assert readable.remote == 3


INERT = ("a", "area", "base", "embed", "form", "frame", "iframe", "link", "meta", "object", "portal")


@pytest.mark.parametrize("name", INERT)
def test_no_element_is_left_that_connects_before_a_policy_is_asked(name: str) -> None:
    """html5lib judges."""
    import html5lib

    markup = (
        f"<{name} href=//a.test><{name.upper()}\nx><{name}/><{name}>x</{name}><<{name}><{name}<{name} ><svg><{name}/>"
        f"</svg><table><{name} x><p title='<{name}>'><{name}\0><template><{name} ></template><select><{name} >"
        f"<!-- <{name} --><{name}"
    )
    readable = readable_message(f"Content-Type: text/html\r\n\r\n{markup}".encode())
    tags = [str(element.tag) for element in html5lib.parse(readable.html or "", namespaceHTMLElements=False).iter()]
    assert not [tag for tag in tags if tag.rpartition("}")[2] == name]
    assert tags.count(f"not-{name}") >= 3


LARGE: dict[str, Callable[[int], bytes]] = {
    "text": lambda size: b"Content-Type: text/html\r\n\r\n" + b"a" * size,
    "references": lambda size: b"Content-Type: text/html\r\n\r\n" + b"src= " * (size // 5),
    "styles": lambda size: b"Content-Type: text/html\r\n\r\n" + b"url( " * (size // 5),
    "links": lambda size: b"Content-Type: text/html\r\n\r\n" + b"<link" * (size // 5),
    "parts": lambda size: multipart("mixed", *[HTML] * (size // 60)),
    "alternatives": lambda size: multipart("alternative", *[HTML] * (size // 60)),
    "pictures": lambda size: multipart(
        "related",
        "Content-Type: text/html\r\n\r\n" + "cid:a " * (size // 12),
        "Content-Type: image/png\r\nContent-ID: <a>\r\nContent-Transfer-Encoding: base64\r\n\r\n" + "!" * (size // 2),
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_message_is_cut_and_takes_little_time(name: str) -> None:
    message = LARGE[name](8 * 1024 * 1024)
    start = time.process_time()
    readable = readable_message(message)
    assert time.process_time() - start < 10  # quadratic work takes minutes
    assert len(readable.html or "") <= 2 * MOST_SHOWN + MOST_INLINED
    assert len(readable.attachments) <= 500
    assert readable.cut or name in {"pictures", "parts", "alternatives"}
