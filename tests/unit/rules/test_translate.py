"""`Translate` as a plain function, with Amazon Translate as a protocol server."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.edit.judges import shown_by_html5lib, shown_by_lexbor
from tests.unit.edit.make_corpus import messages
from tests.unit.rules.messages import alternative, new_message, parsed, plain, result, shown
from tests.unit.rules.replies import PROGRAMS, Program
from tests.unit.rules.translate_service import (
    BROKEN,
    NO_SUCH_PAIR,
    NOT_SURE,
    THROTTLED,
    TOO_LARGE,
    TOO_MANY,
    UNAVAILABLE,
    Answer,
    TranslateService,
)
from workmail_rules import StepError, translate
from workmail_rules.translate import FIRST_CALL_BYTES, MAX_CALL_BYTES, pieces
from workmail_runtime.aws_request import close_idle_connections
from workmail_runtime.content_errors import ServiceError, ServiceUnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_rules import Message

LONG = "\n\n".join(f"Hola mundo {index}. {'Hola amigos. ' * 20}" for index in range(100))


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[TranslateService]:
    """Amazon Translate, where the environment says."""
    with TranslateService.running() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_TRANSLATE", running.url)
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        yield running
        close_idle_connections()


def _run(message: Message, **changes: Any) -> bytes:
    configuration = {"into": "en", "above": True, "subject": True, "max_bytes": 30_000, "heading": "Translation:"}
    translate.run(message, **configuration | changes)
    return result(message)


def _spanish(subject: str = "Hola") -> bytes:
    return alternative("Hola mundo", "<p>Hola <b>mundo</b></p><script>hola()</script>", subject=subject)


def test_plain_text_html_and_subject_are_translated(service: TranslateService) -> None:
    raw = _run(new_message(_spanish(), subject="Hola"))

    assert shown(raw).startswith("Translation:\n\nHello world\n\n* * *\n\nHola mundo")
    assert shown_by_html5lib(shown(raw, "html")) == "Translation:Hello world Hola mundo"
    assert parsed(raw)["Subject"] == "Hello | Hola"
    assert [(each["Text"], each["SourceLanguageCode"]) for each in service.requests] == [
        ("Hola mundo", "auto"),
        ("Hola", "es"),
    ]


def test_below_stands_behind_the_body(service: TranslateService) -> None:
    raw = _run(new_message(_spanish()), above=False)
    assert shown(raw).startswith("Hola mundo\n")
    assert shown(raw).rstrip().endswith("* * *\n\nTranslation:\n\nHello world")
    assert shown_by_html5lib(shown(raw, "html")).endswith("Translation:Hello world")


def test_mail_in_the_wanted_language_stays_and_costs_one_short_call(service: TranslateService) -> None:
    raw = plain("Good morning. " * 1000)
    message = new_message(raw)
    assert _run(message) == raw
    (request,) = service.requests
    assert len(request["Text"].encode()) <= FIRST_CALL_BYTES
    assert message.notes == ["nothing to translate from en"]


@pytest.mark.parametrize(
    ("found", "into", "is_translated"),
    [("fr", "fr-CA", False), ("pt-PT", "pt", False), ("zh-TW", "zh", True), ("es", "en", True)],
)
def test_ways_to_write_one_language(service: TranslateService, found: str, into: str, is_translated: bool) -> None:
    body = {"TranslatedText": "Translated", "SourceLanguageCode": found, "TargetLanguageCode": into}
    service.answers = [Answer(body=json.dumps(body).encode())]
    raw = _run(new_message(plain("Text")), into=into, subject=False)
    assert ("Translated" in shown(raw)) is is_translated


def test_a_message_without_text_is_translated_by_its_subject(service: TranslateService) -> None:
    raw = _run(new_message(messages()["image-only"], subject="Hola amigos"))
    assert str(parsed(raw)["Subject"]).startswith("Hello friends |")
    assert [each["SourceLanguageCode"] for each in service.requests] == ["auto"]


def test_a_message_without_text_and_subject_calls_nothing(service: TranslateService) -> None:
    message = new_message(messages()["image-only"], subject="")
    assert _run(message) == messages()["image-only"]
    assert service.requests == []
    assert message.notes == ["no text"]


@pytest.mark.parametrize("name", ["encrypted-pgp", "encrypted-smime"])
def test_an_encrypted_body_is_not_sent(service: TranslateService, name: str) -> None:
    _run(new_message(messages()[name], subject="Good morning"))
    assert [each["Text"] for each in service.requests] == ["Good morning"]


def test_a_long_body_goes_in_pieces_that_end_where_a_paragraph_does(service: TranslateService) -> None:
    raw = _run(new_message(plain(LONG), subject="Hola"))
    bodies = [each["Text"] for each in service.requests[:-1]]

    assert all(len(text.encode()) <= MAX_CALL_BYTES for text in bodies)
    assert all(text.endswith("amigos.") for text in bodies)
    translated = shown(raw).partition("* * *")[0]
    assert translated.count("Hello world") == LONG.count("Hola mundo")
    assert "friends.\n\nHello world 1." in translated.replace("friends. \n", "friends.\n")
    assert "[…]" not in translated


def test_a_body_over_the_limit_is_translated_to_the_limit_and_says_so(service: TranslateService) -> None:
    message = new_message(plain(LONG))
    raw = _run(message, max_bytes=5_000, subject=False)
    assert sum(len(each["Text"].encode()) for each in service.requests) <= 5_000
    assert shown(raw).partition("* * *")[0].rstrip().endswith("[…]")


def test_a_slow_service_gets_what_time_allows_and_the_translation_says_so(
    service: TranslateService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.seconds = 0.3
    message = new_message(plain(LONG))
    deadline = time.monotonic() + 1.4
    monkeypatch.setattr(type(message), "deadline", property(lambda _: deadline))
    raw = _run(message, subject=False)
    assert 1 <= len(service.requests) <= 3
    assert shown(raw).partition("* * *")[0].rstrip().endswith("[…]")


def test_markup_in_a_translation_is_text(service: TranslateService) -> None:
    text = "hola <b> </div><script>alert(1)</script>"
    body = {"TranslatedText": text, "SourceLanguageCode": "es", "TargetLanguageCode": "en"}
    service.answers = [Answer(body=json.dumps(body).encode())]
    document = shown(_run(new_message(_spanish()), subject=False), "html")
    for reader in (shown_by_html5lib, shown_by_lexbor):
        assert text in reader(document)


def test_controls_and_turns_of_direction_are_left_out(service: TranslateService) -> None:
    body = {"TranslatedText": "a\u202eb\x00c\ud800", "SourceLanguageCode": "es", "TargetLanguageCode": "en"}
    service.answers = [Answer(body=json.dumps(body).encode())]
    assert "a b c" in shown(_run(new_message(_spanish()), subject=False))


@pytest.mark.fact("E7")
def test_a_retry_on_the_updated_message_calls_nothing(service: TranslateService) -> None:
    updated = _run(new_message(_spanish(), subject="Hola"))
    service.requests.clear()
    retry = new_message(updated, subject="Hola")
    assert _run(retry) == updated
    assert service.requests == []
    assert retry.notes == ["added by an earlier attempt"]


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_the_subject_of_a_conversation_is_translated_once(service: TranslateService, program: Program) -> None:
    raw, subject = _spanish(), "Hola"
    for turn in range(3):
        raw = _run(new_message(raw, subject=subject, invocation=f"{turn:032}"))
        subject = f"Re: {parsed(raw)['Subject']}"
        raw = alternative(*program(shown(raw), shown(raw, "html"), "Hola amigos"), subject=subject)
    assert subject == "Re: Re: Re: Hello | Hola"


@pytest.mark.parametrize("answer", [NO_SUCH_PAIR, NOT_SURE], ids=["no-such-pair", "not-sure"])
def test_what_cannot_be_translated_stays_as_it_came(service: TranslateService, answer: Answer) -> None:
    service.answers = [answer]
    message = new_message(_spanish())
    assert _run(message) == message.raw
    assert message.notes[0].startswith("not translated: ")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (TOO_MANY, ServiceError),
        (THROTTLED, ServiceError),
        (TOO_LARGE, ServiceError),
        (BROKEN, ServiceError),
        (UNAVAILABLE, ServiceError),
        (Answer(body=b"<html>"), ValueError),
        (Answer(body=b"{}"), StepError),
        (Answer(body=b'{"TranslatedText": 1, "SourceLanguageCode": "es"}'), StepError),
        (Answer(body=b'{"TranslatedText": "x", "SourceLanguageCode": "x; rm"}'), StepError),
        (Answer(body=json.dumps({"TranslatedText": "x" * 20_001, "SourceLanguageCode": "es"}).encode()), StepError),
    ],
)
@pytest.mark.parametrize("before", [0, 1], ids=["first-call", "second-call"])
def test_a_failure_leaves_the_message_as_it_came(
    service: TranslateService, answer: Answer, error: type[Exception], before: int
) -> None:
    spanish = Answer(body=b'{"TranslatedText": "Hello", "SourceLanguageCode": "es"}')
    service.answers = [*[spanish] * before, answer]
    message = new_message(_spanish(), subject="Hola")
    with pytest.raises(error) as raised:
        _run(message)
    assert result(message) == message.raw
    assert "mundo" not in str(raised.value)


def test_a_throttled_call_is_tried_again(service: TranslateService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "3")
    monkeypatch.setattr("random.random", lambda: 0.0)
    service.answers = [TOO_MANY, BROKEN]
    assert "Hello world" in shown(_run(new_message(_spanish()), subject=False))


def test_a_service_that_does_not_answer_is_given_up_at_the_deadline(
    service: TranslateService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.answers = [Answer(seconds=2)]
    message = new_message(_spanish())
    started = time.monotonic()
    monkeypatch.setattr(type(message), "deadline", property(lambda _: started + 0.3))
    with pytest.raises(ServiceUnreachableError):
        _run(message)
    assert time.monotonic() - started < 1.5


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.integers(4, 50), st.integers(4, 50))
def test_pieces_are_the_text_in_bounded_bytes(text: str, first: int, limit: int) -> None:
    found = list(pieces(text, first=first, limit=limit))
    assert "".join(found) == text
    assert all(found)
    assert all(len(piece.encode()) <= limit for piece in found[1:])
    assert all(len(piece.encode()) <= first for piece in found[:1])


def test_pieces_end_at_the_best_place_there_is() -> None:
    assert list(pieces("One two. Three four.\n\nFive six", first=25, limit=25)) == [
        "One two. Three four.\n\n",
        "Five six",
    ]
    assert list(pieces("One two. Three four. Five", first=22, limit=22)) == ["One two. Three four. ", "Five"]
    assert list(pieces("one two three", first=10, limit=10)) == ["one two ", "three"]
    assert list(pieces("\u4f60\u597d" * 4, first=7, limit=7)) == ["\u4f60\u597d"] * 4
