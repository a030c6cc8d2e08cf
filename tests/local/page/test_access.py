"""The page for everybody: by keyboard, by screen reader, on a phone, dark and light."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from workmail_local.server import page_files

if TYPE_CHECKING:
    from playwright.sync_api import Route

    from tests.local.page.conftest import Driven

pytestmark = pytest.mark.xdist_group("page")

HANDLERS = Path(__file__).parents[1] / "handlers"
STYLE = (Path(page_files.__file__).with_name("page") / "style.css").read_text("utf-8")
MESSAGE = b"From: ann@other.test\r\nTo: bob@example.com\r\nSubject: hello\r\n\r\nhi\r\n"
VIEWS = ("messages", "message", "mailboxes", "mailbox", "spool", "mail", "rules", "faults")


def show(driven: Driven, view: str) -> None:
    """Open a view with something in it."""
    driven.local.deploy_handler(HANDLERS / "content", name="Edit")
    sent = driven.local.send(MESSAGE)
    (outcome,) = sent.outcomes
    assert outcome.place is not None
    arguments = {
        "message": sent.id,
        "mailbox": "bob@example.com",
        "mail": str(outcome.place.relative_to(driven.local.state)).replace("/", "%2F"),
    }
    driven.open()
    driven.rows.first.wait_for()
    driven.go("/".join(filter(None, (view, arguments.get(view)))))
    driven.page.get_by_role("heading", level=2).last.wait_for()
    if view == "message":
        driven.message.get_by_role("region", name="After", exact=True).wait_for()


CHECKS = {
    "one heading of the first level": "document.querySelectorAll('h1').length === 1",
    "landmarks": "['header', 'nav', 'main', 'footer'].every(n => document.querySelectorAll('body ' + n).length === 1)",
    "a language and a title": "document.documentElement.lang === 'en' && document.title !== ''",
    "no id twice": "new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size"
    " === document.querySelectorAll('[id]').length",
    "every field has a label": "[...document.querySelectorAll('input, select')].every(e => e.labels.length > 0)",
    "every button and link has a name": "[...document.querySelectorAll('button, a, summary')]"
    ".every(e => e.textContent.trim() !== '')",
    "every frame has a title": "[...document.querySelectorAll('iframe')].every(e => e.title !== '')",
    "every frame is a sandbox that allows nothing": "[...document.querySelectorAll('iframe')]"
    ".every(e => e.hasAttribute('sandbox') && e.sandbox.length === 0)",
    "every table has a caption and heads": "[...document.querySelectorAll('table')]"
    ".every(e => e.caption && e.querySelectorAll('th[scope=col]').length > 0)",
    "what labels others exists": "[...document.querySelectorAll('[aria-labelledby], [aria-describedby]')].every(e => "
    "[e.getAttribute('aria-labelledby'), e.getAttribute('aria-describedby')].filter(Boolean)"
    ".every(i => document.getElementById(i)))",
    "headings leave out no level": "[...document.querySelectorAll('h1, h2, h3, h4')].filter(e => e.offsetParent)"
    ".map(e => Number(e.tagName[1])).every((n, i, all) => i === 0 || n <= all[i - 1] + 1)",
    "nobody is led by a number": "[...document.querySelectorAll('[tabindex]')].every(e => e.tabIndex <= 0)",
    "what scrolls can be reached": "[...document.querySelectorAll('pre, .scrolls')].every(e => e.tabIndex === 0)",
}


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_is_built_for_a_screen_reader(driven: Driven, view: str) -> None:
    show(driven, view)
    assert [name for name, check in CHECKS.items() if not driven.page.evaluate(check)] == []


@pytest.mark.parametrize("view", VIEWS)
def test_each_view_fits_a_phone(driven: Driven, view: str) -> None:
    driven.page.set_viewport_size({"width": 320, "height": 640})
    show(driven, view)
    size = driven.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert size == [320, 320]
    for name in ("Messages", "Mailboxes", "Rules", "Faults"):
        expect(driven.page.get_by_role("navigation").get_by_role("link", name=name)).to_be_in_viewport()


def test_a_phone_shows_the_list_or_the_message(driven: Driven) -> None:
    driven.page.set_viewport_size({"width": 320, "height": 640})
    show(driven, "messages")
    driven.rows.first.click()
    expect(driven.message).to_be_visible()
    expect(driven.page.locator("#list")).to_be_hidden()
    driven.page.keyboard.press("/")
    expect(driven.page.locator("*:focus")).to_have_id("search")
    driven.rows.first.click()
    driven.message.get_by_role("link", name="← Messages").click()
    expect(driven.page.locator("#list")).to_be_visible()
    expect(driven.message).to_be_hidden()


def test_everything_can_be_done_by_keyboard(driven: Driven) -> None:
    for number in range(3):
        driven.local.send(MESSAGE.replace(b"hello", b"hello %d" % number))
    driven.open()
    expect(driven.rows).to_have_count(3)
    keyboard, focused = driven.page.keyboard, driven.page.locator("*:focus")
    keyboard.press("Tab")
    expect(focused).to_have_text("Skip to the content")
    expect(focused).to_be_in_viewport()
    keyboard.press("Enter")
    expect(focused).to_have_id("view")
    keyboard.press("/")
    expect(focused).to_have_id("search")
    keyboard.type("j/k hello")
    expect(focused).to_have_value("j/k hello")
    focused.fill("")
    expect(driven.rows).to_have_count(3)
    keyboard.press("Escape")
    expect(focused).to_have_id("list")
    selected = driven.page.locator("#list [aria-selected=true]")
    for key, subject in (
        ("j", 2),
        ("ArrowDown", 1),
        ("j", 0),
        ("j", 0),
        ("k", 1),
        ("Home", 2),
        ("End", 0),
        ("ArrowUp", 1),
    ):
        keyboard.press(key)
        expect(selected).to_contain_text(f"hello {subject}")
        active = driven.page.locator("#list").get_attribute("aria-activedescendant")
        assert selected.get_attribute("id") == active
    keyboard.press("Enter")
    expect(focused).to_have_id("message")
    expect(driven.message.get_by_role("heading", level=2)).to_have_text("hello 1")
    keyboard.press("Tab")
    expect(focused).to_have_text("Replay")
    assert driven.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    keyboard.press("Escape")
    expect(focused).to_have_id("list")
    expect(driven.page).not_to_have_url(re.compile("#message/"))
    driven.page.get_by_role("link", name="Faults").focus()
    keyboard.press("Enter")
    expect(focused).to_have_id("other-view")
    driven.page.get_by_role("button", name="Reset…").focus()
    keyboard.press("Enter")
    expect(focused).to_have_text("Cancel")
    keyboard.press("Escape")
    expect(driven.page.get_by_role("dialog")).to_be_hidden()
    expect(focused).to_have_text("Reset…")
    expect(driven.page.locator("#counts")).to_contain_text("3 messages")


def test_keys_move_among_the_messages_while_a_search_is_on_its_way(driven: Driven) -> None:
    for subject in (b"first", b"second"):
        driven.local.send(MESSAGE.replace(b"hello", subject))
    driven.open()
    expect(driven.rows).to_have_count(2)
    held: list[Route] = []
    driven.page.route("**/v1/messages?*q=first*", lambda route: held.append(route))
    with driven.page.expect_request("**/v1/messages?*q=first*"):
        driven.page.locator("#search").fill("first")
    driven.page.keyboard.press("Escape")
    driven.page.keyboard.press("End")
    expect(driven.page.locator("#list [aria-selected=true]")).to_contain_text("first")
    expect(driven.rows).to_have_count(2)
    held[0].continue_()
    expect(driven.rows).to_have_count(1)


def test_what_is_open_and_focused_stays_so_while_attempts_come_in(driven: Driven) -> None:
    driven.local.deploy_handler(HANDLERS / "replies", synchronous=False)
    driven.local.add_fault("crash", times=1)
    sent = driven.local.send(MESSAGE)
    driven.open(f"message/{sent.id}")
    details = driven.message.locator("details").filter(has_text="Attempt 1:")
    details.locator("summary").click()
    driven.local.daemon.client.post("/v1/deployments/reload")
    expect(driven.message.locator("details").filter(has_text="Attempt 2:")).to_be_visible()
    expect(details).to_have_attribute("open", "")
    expect(driven.page.locator("*:focus")).to_contain_text("Attempt 1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_follow_the_system(driven: Driven, scheme: str) -> None:
    driven.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    driven.open()
    background, ink = driven.page.evaluate(
        "['backgroundColor', 'color'].map(name => getComputedStyle(document.body)[name].match(/\\d+/)[0])"
    )
    assert (int(background) < int(ink)) == (scheme == "dark")


PAIRS = [*product(("ink", "soft", "accent", "bad"), ("page", "paper", "chosen")), ("ink", "added"), ("ink", "removed")]


@pytest.mark.parametrize(("front", "back"), PAIRS)
def test_text_stands_out_from_what_it_stands_on(front: str, back: str) -> None:
    """At least 4.5 to 1, as WCAG 2.2 asks (1.4.3)."""
    for block in re.findall(r":root \{([^}]+)\}", STYLE)[:2]:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
        light, dark = sorted((_luminance(colours[front]), _luminance(colours[back])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
