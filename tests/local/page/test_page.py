"""What a person does on the page."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.local.page.conftest import Driven

pytestmark = pytest.mark.xdist_group("page")

HANDLERS = Path(__file__).parents[1] / "handlers"


def mail(subject: str = "hello", *, to: str = "bob@example.com", text: str = "hi") -> bytes:
    return f"From: ann@other.test\r\nTo: {to}\r\nSubject: {subject}\r\n\r\n{text}\r\n".encode()


# Messages


def test_a_message_comes_in_while_the_page_is_open(driven: Driven) -> None:
    driven.open()
    expect(driven.page.get_by_text("No messages yet.")).to_be_visible()
    driven.local.send(mail("comes in"))
    expect(driven.rows).to_have_count(1)
    expect(driven.rows.first).to_contain_text("comes in")
    expect(driven.rows.first).to_contain_text("DEFAULT")
    expect(driven.page.locator("#announcement")).to_have_text("New message: comes in")
    expect(driven.page.locator("#counts")).to_have_text("1 messages, 0 in flight, 0 held")


def test_each_recipient_has_its_rule_action_reason_and_place(driven: Driven) -> None:
    driven.local.deploy_handler(HANDLERS / "replies", name="Disclaimer")
    sent = driven.local.send(mail(to="bob@example.com, eve@example.com"))
    driven.open()
    driven.rows.first.click()
    expect(driven.page).to_have_url(re.compile(f"#message/{sent.id}$"))
    table = driven.message.get_by_role("region", name="Recipients")
    for outcome in sent.outcomes:
        row = table.get_by_role("row").filter(has_text=outcome.recipient)
        for text in ("Disclaimer", outcome.action or "", outcome.why, "inbox"):
            expect(row).to_contain_text(text)
    table.get_by_role("link", name="inbox").first.click()
    expect(driven.page.get_by_role("heading", name="Mail", exact=True)).to_be_visible()
    expect(driven.page.locator("#other-view pre")).to_contain_text("hi")


def test_event_reply_attempts_findings_and_log_are_shown(driven: Driven) -> None:
    driven.local.deploy_handler(HANDLERS / "content", name="Edit", rule_timeout_minutes=30)
    driven.local.add_fault("function-error", times=1)
    sent = driven.local.send(mail())
    driven.open(f"message/{sent.id}")
    first, second = (driven.message.locator("details").filter(has_text=f"Attempt {number}:") for number in (1, 2))
    expect(first).to_contain_text("injected fault function-error")
    second.locator("summary").click()
    expect(second.get_by_role("region", name="Log")).to_contain_text("edits 0")
    expect(second.get_by_role("region", name="Reply")).to_contain_text('"actions"')
    driven.message.get_by_text("Event", exact=True).click()
    expect(driven.message.get_by_role("region", name="Event")).to_contain_text('"subject": "hello"')


def test_a_failure_for_good_says_what_became_of_the_message(driven: Driven) -> None:
    driven.local.deploy_handler(HANDLERS / "replies", fallback="DROP")
    driven.local.add_fault("crash")
    sent = driven.local.send(mail())
    assert sent.detail["failure"].startswith("fallback DROP after ")
    driven.open(f"message/{sent.id}")
    expect(driven.rows.first).to_contain_text(sent.detail["failure"])
    expect(driven.message.locator(".failed").first).to_have_text(sent.detail["failure"])


def test_before_and_after_stand_side_by_side_rendered_as_text_and_as_source(driven: Driven) -> None:
    driven.local.deploy_handler(HANDLERS / "content")
    sent = driven.local.send(mail())
    driven.open(f"message/{sent.id}")
    before, after = (driven.message.get_by_role("region", name=side, exact=True) for side in ("Before", "After"))
    expect(before).to_contain_text("hi")
    first, second = before.bounding_box(), after.bounding_box()
    assert first is not None
    assert second is not None
    assert (first["y"], first["x"] < second["x"]) == (second["y"], True)
    driven.message.get_by_label("Text").check()
    expect(driven.message.locator(".added").filter(has_text="Subject")).to_have_text("+Subject: [edited] hello")
    expect(driven.message.locator(".removed").filter(has_text="Subject")).to_have_text("-Subject: hello")
    driven.message.get_by_label("Source").check()
    expect(after).to_contain_text("Subject: [edited] hello")
    with driven.page.expect_download() as saving:
        after.get_by_role("button", name="Save .eml").click()
    assert saving.value.path().read_bytes() == sent.content


def test_html_is_shown_with_its_styles_and_own_pictures(driven: Driven) -> None:
    message = EmailMessage()
    message["To"] = "bob@example.com"
    message.set_content("plain")
    message.add_alternative("<p style='color: rgb(1, 2, 3)'>styled <img src='cid:dot'></p>", subtype="html")
    message.get_payload()[1].add_related(GIF, "image", "gif", cid="<dot>")  # type: ignore[union-attr, index, call-arg]
    sent = driven.local.send(message)
    driven.open(f"message/{sent.id}")
    frame = driven.message.frame_locator("iframe")
    expect(frame.get_by_text("styled")).to_have_css("color", "rgb(1, 2, 3)")
    expect(frame.locator("img")).to_have_js_property("naturalWidth", 1)


GIF = bytes.fromhex("47494638396101000100800000ffffff00000021f90400000000002c00000000010001000002024401003b")


def test_a_search_is_answered_by_the_server(driven: Driven) -> None:
    for subject in ("apples", "pears", "apples and pears"):
        driven.local.send(mail(subject))
    driven.open()
    driven.page.get_by_label("Search").fill("PEARS apples")
    expect(driven.rows).to_have_count(1)
    expect(driven.rows).to_contain_text("apples and pears")
    driven.local.send(mail("plums"))
    driven.local.send(mail("more apples, more pears"))
    expect(driven.rows).to_have_count(2)
    driven.page.get_by_label("Search").fill("nothing of it")
    expect(driven.page.get_by_text("No message holds these words.")).to_be_visible()


def test_ten_thousand_messages_are_a_few_elements(driven: Driven) -> None:
    sent = driven.local.send(mail("the oldest"))
    _multiply(driven.local.state / "messages.sqlite3", sent.id, 9_999)
    driven.open()
    expect(driven.page.locator("#counts")).to_contain_text("10000 messages")
    driven.rows.first.wait_for()
    driven.page.locator("#list").focus()
    for loaded in range(100, 10_000, 100):
        driven.page.keyboard.press("End")
        expect(driven.page.locator("#track")).to_have_css("height", f"{76 * (loaded + 100)}px")
        assert driven.page.locator("#list *").count() < 400
    # What a reader looks at stays where it is while mail comes in above.
    driven.page.keyboard.press("Home")
    for _ in range(8):
        driven.page.keyboard.press("PageDown")
    chosen = driven.page.locator("#list [aria-selected=true]")
    subject, place = chosen.inner_text(), chosen.bounding_box()
    driven.local.send(mail("newer"))
    expect(driven.page.locator("#announcement")).to_have_text("New message: newer")
    assert (chosen.inner_text(), chosen.bounding_box()) == (subject, place)
    driven.page.get_by_label("Search").fill("oldest")
    expect(driven.rows).to_have_count(1)
    expect(driven.rows).to_contain_text("the oldest")
    driven.page.get_by_label("Search").fill("message 4321")
    expect(driven.rows).to_have_count(1)


def _multiply(database: Path, message_id: str, times: int) -> None:
    """Add copies of a message to the store, which takes a moment; sending them takes minutes."""
    with closing(sqlite3.connect(database, timeout=30)) as db, db:
        for table, own in (("messages", "id"), ("flows", "message_id"), ("outcomes", "flow_id")):
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1] != "seq"]
            ids = {"id", "message_id", "flow_id", "invocation_id"}
            copied = ", ".join(f"{name} || '-' || n" if name in ids else name for name in columns)
            copied = copied.replace("subject", "'message ' || n")
            numbers = "WITH numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
            copies = f"SELECT {copied} FROM {table}, numbers WHERE {own} = ? ORDER BY n"  # noqa: S608 - our own words
            db.execute(f"{numbers} INSERT INTO {table} ({', '.join(columns)}) {copies}", (times, message_id))


def test_a_replay_is_a_new_message(driven: Driven) -> None:
    sent = driven.local.send(mail())
    driven.open(f"message/{sent.id}")
    driven.message.get_by_role("button", name="Replay").click()
    expect(driven.rows).to_have_count(2)
    expect(driven.page).not_to_have_url(re.compile(sent.id))
    expect(driven.message.get_by_text(f"by replay of {sent.id}")).to_be_visible()


def test_files_are_sent_that_are_chosen_or_dropped(driven: Driven, tmp_path: Path) -> None:
    driven.local.deploy_handler(HANDLERS / "replies")
    chosen = tmp_path / "chosen.eml"
    chosen.write_bytes(mail("chosen", to="bob@example.com, x@elsewhere.test").replace(b"\r\n", b"\n"))
    driven.open()
    driven.page.locator("#files").set_input_files(chosen)
    expect(driven.message.get_by_role("heading", name="chosen")).to_be_visible()
    expect(driven.page.get_by_role("alert")).to_contain_text("chosen.eml: 1 recipients are not the organization's")
    driven.page.get_by_label("Direction").select_option("outbound")
    drop = """text => {
        const data = new DataTransfer();
        data.items.add(new File([text], 'dropped.eml'));
        for (const type of ['dragover', 'drop']) {
            document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
        }
    }"""
    driven.page.evaluate(drop, "From: ann@example.com\nTo: x@far.test\nSubject: dropped\n\nhi\n")
    expect(driven.message.get_by_role("heading", name="dropped")).to_be_visible()
    expect(driven.message.get_by_text("outbound, by api")).to_be_visible()
    driven.page.evaluate(drop, "Subject: for nobody\n\nhi\n")
    expect(driven.page.get_by_role("alert")).to_contain_text("dropped.eml is not sent: rcpt: found none")


def test_a_reset_asks_first(driven: Driven) -> None:
    driven.local.send(mail())
    driven.open()
    for answer, left in (("Cancel", 1), ("Delete", 0)):
        driven.page.get_by_role("button", name="Reset…").click()
        driven.page.get_by_role("button", name=answer).click()
        expect(driven.page.get_by_role("dialog")).to_be_hidden()
        expect(driven.rows).to_have_count(left)
    assert driven.local.daemon.client.get("/v1/messages")["messages"] == []


# Other views


def test_mailboxes_and_spool_lead_to_each_mail(driven: Driven) -> None:
    driven.local.deploy_handler(HANDLERS / "replies", direction="OUTBOUND")
    driven.local.send(mail("for bob"))
    driven.open("mailboxes")
    driven.local.send(
        mail("leaves", to="x@far.test").replace(b"ann@other.test", b"ann@example.com"), direction="outbound"
    )
    expect(driven.page.get_by_text("1 mails that would leave the organization")).to_be_visible()  # live
    driven.page.get_by_role("link", name="bob@example.com").click()
    driven.page.get_by_role("link", name="for bob").click()
    expect(driven.page.locator("#other-view pre")).to_contain_text("hi")
    driven.page.get_by_label("Source").check()
    expect(driven.page.locator("#other-view pre")).to_contain_text("Subject: for bob")
    driven.go("spool")
    expect(driven.page.get_by_role("row").filter(has_text="leaves")).to_contain_text("x@far.test")


def test_the_rules_and_who_they_match(driven: Driven) -> None:
    driven.local.deploy_handler(HANDLERS / "replies", name="Everybody")
    driven.open("rules")
    row = driven.page.get_by_role("row").filter(has_text="Everybody")
    expect(row).to_contain_text("RUN_LAMBDA")
    form = driven.page.get_by_role("form", name="Test")
    form.get_by_label("Sender").fill("ann@other.test")
    form.get_by_label("Recipient").fill("bob@example.com")
    form.get_by_role("button", name="Test").click()
    expect(form.get_by_role("status")).to_contain_text("Rule Everybody: RUN_LAMBDA.")
    form.get_by_label("Sender").fill("ann")
    form.get_by_role("button", name="Test").press("Enter")
    expect(form.get_by_role("status").locator(".failed, p")).to_be_visible()
    driven.local.deploy_handler(HANDLERS / "replies", name="Newer", senders=("ann@other.test",))
    expect(driven.page.get_by_role("row").filter(has_text="Newer")).to_be_visible()  # live


def test_the_test_says_why_others_lost(driven: Driven) -> None:
    driven.local.deploy_handler(HANDLERS / "replies", name="Everybody")
    driven.local.deploy_handler(HANDLERS / "replies", name="Ann", senders=("ann@other.test",))
    driven.open("rules")
    form = driven.page.get_by_role("form", name="Test")
    form.get_by_label("Sender").fill("ann@other.test")
    form.get_by_label("Recipient").fill("bob@example.com")
    form.get_by_label("Recipient").press("Enter")
    expect(form.get_by_role("status")).to_contain_text("Rule Ann: RUN_LAMBDA.")
    asked = {"direction": "inbound", "sender": "ann@other.test", "recipient": "bob@example.com"}
    (lost,) = driven.local.daemon.client.post("/v1/rules/test", asked)["lost"]
    row = form.get_by_role("row").filter(has_text="Everybody")
    expect(row).to_contain_text(lost["reason"])


def test_faults_are_switched_on_and_off(driven: Driven) -> None:
    driven.local.deploy_handler(HANDLERS / "replies", name="Disclaimer")
    driven.open("faults")
    form = driven.page.get_by_role("form", name="Make something fail")
    form.get_by_label("Fault").select_option("crash")
    form.get_by_label("Rule").select_option("Disclaimer")
    form.get_by_label("Times").fill("2")
    form.get_by_role("button", name="Switch on").click()
    row = driven.page.get_by_role("region", name="Active faults").get_by_role("row").filter(has_text="crash")
    expect(row).to_contain_text("2 times")
    assert driven.local.daemon.client.get("/v1/faults")["faults"] == [
        {"fault": "crash", "rule": "Disclaimer", "times": 2, "hits": 0}
    ]
    form.get_by_label("Fault").select_option("slow-content")
    form.get_by_label("Seconds").fill("901")
    form.get_by_role("button", name="Switch on").click()
    expect(driven.page.locator("#other-view [role=alert]")).to_contain_text("allowed is a number from 0 to 900")
    driven.page.get_by_role("button", name="Clear all faults").click()
    expect(driven.page.get_by_text("No fault is active.")).to_be_visible()


# The token, and a restart


def test_without_its_token_the_page_says_what_to_do(driven: Driven) -> None:
    api = driven.local.daemon.ready["api"]
    for address in (f"{api}/", f"{api}/#token=guessed", f"{api}/#rules"):
        driven.page.goto("about:blank")
        driven.page.goto(address)
        expect(driven.page.get_by_role("heading", name="This page needs its token")).to_be_visible()
        expect(driven.page.locator("#refused")).to_contain_text("workmail-flow local status")
        expect(driven.page.locator("#messages-view")).to_be_hidden()


def test_the_token_leaves_the_address_at_once_and_a_reload_keeps_it(driven: Driven) -> None:
    driven.local.send(mail())
    driven.open()
    assert driven.page.url == f"{driven.local.daemon.ready['api']}/"
    driven.page.reload()
    expect(driven.rows).to_have_count(1)
