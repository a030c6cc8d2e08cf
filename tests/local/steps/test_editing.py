"""The steps that edit text, deployed: mail to and fro through both rules, and a stand-in for Amazon Translate."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.edit.make_corpus import messages
from tests.unit.rules.messages import alternative, plain, shown
from tests.unit.rules.replies import gmail, outlook
from tests.unit.rules.translate_service import BROKEN, TranslateService
from workmail_local.testing.workmail_local import WorkMailLocal

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("steps-editing")

APP = Path(__file__).parent / "editing_app"


@pytest.fixture(scope="module")
def translate() -> Iterator[TranslateService]:
    with TranslateService.running() as service:
        yield service


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, translate: TranslateService) -> Iterator[WorkMailLocal]:
    with pytest.MonkeyPatch.context() as patch, WorkMailLocal.running(tmp_path_factory.mktemp("state")) as local:
        patch.setenv("TRANSLATE_STAND_IN", translate.url)
        local.deploy_app(APP)
        yield local


@pytest.fixture(autouse=True)
def forget(translate: TranslateService) -> None:
    translate.requests.clear()
    translate.answers.clear()


def _outbound(raw: bytes) -> bytes:
    return raw.replace(b"From: eve@example.net\r\nTo: ann@example.com", b"From: ann@example.com\r\nTo: eve@example.net")


@pytest.mark.fact("C1", "C4", "E7")
def test_mail_from_outside_is_translated_and_has_the_banner_on_top(local: WorkMailLocal) -> None:
    sent = local.send(alternative("Hola mundo", "<p>Hola mundo</p>", subject="Hola"))

    assert sent.succeeded, sent.logs
    assert sent.message["Subject"] == "[EXT] Hello | Hola"
    text = shown(sent.content)
    assert text.startswith("From outside, sent by eve@example.net. <Care>\n\nMachine translation:\n\nHello world\n\n")
    markup = shown(sent.content, "html")
    assert markup.startswith("<div>From outside, sent by <bdi>eve@example.net</bdi>. &lt;Care&gt;</div>")
    assert len(sent.message.get_all("X-WorkMail-Edit")) == 3
    assert re.search(r"eve@|Hola|Hello", sent.logs) is None


def test_mail_from_inside_in_english_has_the_other_banner(local: WorkMailLocal, translate: TranslateService) -> None:
    raw = plain("Good morning").replace(b"From: eve@example.net", b"From: bob@example.com")
    sent = local.send(raw)
    assert shown(sent.content) == "Hello, colleague.\n\nGood morning\n"
    assert sent.message["Subject"] == "Hello"
    assert len(translate.requests) == 1


def test_a_conversation_has_one_prefix_one_footer_and_the_newest_banner_on_top(local: WorkMailLocal) -> None:
    inbound = local.send(alternative("Good morning", "<p>Good morning</p>", subject="Plan"))
    for program in (gmail, outlook):
        reply = program(shown(inbound.content), shown(inbound.content, "html"), "Thanks")
        subject = f"Re: {inbound.message['Subject']}"
        outbound = local.send(_outbound(alternative(*reply, subject=subject)), direction="outbound")
        assert outbound.succeeded, outbound.logs
        assert shown(outbound.content).count("1 Example Street") == 1
        assert shown(outbound.content, "html").count("1 Example Street") == 1
        answer = gmail(shown(outbound.content), shown(outbound.content, "html"), "You too")
        inbound = local.send(alternative(*answer, subject=f"Re: {outbound.message['Subject']}"))
        assert inbound.message["Subject"].count("[EXT]") == 1
        assert shown(inbound.content).startswith("From outside, sent by eve@example.net. <Care>\n\nYou too")


def test_what_fails_goes_on_as_it_came_and_is_counted(local: WorkMailLocal, translate: TranslateService) -> None:
    translate.answers[:] = [BROKEN] * 3
    sent = local.send(plain("Hola mundo"))
    assert sent.succeeded, sent.logs
    assert shown(sent.content).startswith("From outside, sent by")
    assert "Hello world" not in shown(sent.content)
    assert re.search(r'"Failed":1,"FunctionName":"[^"]+","Step":"Translate"', sent.logs)


def test_an_encrypted_message_goes_on_inbound_and_bounces_outbound_as_told(local: WorkMailLocal) -> None:
    raw = messages()["encrypted-pgp"]
    inbound = local.send(raw, mail_from="eve@example.net", rcpt=["ann@example.com"])
    assert inbound.succeeded, inbound.logs
    assert inbound.message["Subject"].startswith("[EXT]")
    assert re.search(r'"Failed":1,"FunctionName":"[^"]+","Step":"Banner"', inbound.logs)
    outbound = local.send(raw, direction="outbound", mail_from="ann@example.com", rcpt=["eve@example.net"])
    assert outbound.actions == {"eve@example.net": "BOUNCE"}
    assert not outbound.succeeded
