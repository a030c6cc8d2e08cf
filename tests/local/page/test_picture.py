"""The picture of the page in README and docs; `make picture` takes it anew."""

from __future__ import annotations

import os
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.local.page.conftest import Driven

pytestmark = pytest.mark.xdist_group("page")

ROOT = Path(__file__).resolve().parents[3]
PICTURE = ROOT / "docs" / "images" / "page.png"
EXAMPLES = ROOT / "examples"
LIBRARIES = tuple(ROOT / "lambda_src" / name for name in ("workmail_flow", "workmail_runtime"))


def invitation() -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Carol Danvers <carol@example.net>"
    message["To"] = "Alice <alice@example.com>, Bob <bob@example.com>"
    message["Subject"] = "Agenda for Thursday"
    message.set_content("Hello both, the agenda is below.")
    message.add_alternative(
        "<h2 style='color: #0a56b0; font-family: sans-serif'>Agenda for Thursday</h2>"
        "<p style='font-family: sans-serif'>Hello both,<br>this is what we talk about:</p>"
        "<ol style='font-family: sans-serif'><li>the numbers of the quarter</li><li>who answers on Sundays</li></ol>",
        subtype="html",
    )
    return message


def test_the_edit_example_is_seen_before_and_after(driven: Driven) -> None:
    driven.page.set_viewport_size({"width": 1280, "height": 860})
    driven.local.deploy_handler(
        EXAMPLES / "edit_message" / "handler",
        name="Mark-external",
        include=LIBRARIES,
        rule_timeout_minutes=30,
        environment={"SUBJECT_PREFIX": "[EXT]", "BANNER": "This message comes from outside."},
    )
    for name in ("non_ascii_subject", "attachment", "plain"):
        driven.local.send(EXAMPLES / "hello_world" / "messages" / f"{name}.eml")
    driven.local.add_fault("timeout", times=1)
    driven.local.send(invitation())
    driven.open()
    driven.rows.first.click()
    before, after = (driven.message.frame_locator(f"iframe[title^={side}]") for side in ("Before", "After"))
    expect(before.get_by_role("heading")).to_have_text("Agenda for Thursday")
    expect(after.get_by_text("This message comes from outside.")).to_be_visible()
    expect(before.get_by_text("This message comes from outside.")).to_have_count(0)
    if os.environ.get("WORKMAIL_PICTURE"):
        PICTURE.parent.mkdir(exist_ok=True)
        driven.page.screenshot(path=PICTURE)


def test_the_picture_is_shown_in_readme_and_docs() -> None:
    assert PICTURE.read_bytes().startswith(b"\x89PNG")
    assert "](docs/images/page.png)" in (ROOT / "README.md").read_text("utf-8")
    assert "](images/page.png)" in (ROOT / "docs" / "local.md").read_text("utf-8")
