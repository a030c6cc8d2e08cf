"""What the page needs of the server: its files, search, what a reader sees, places, envelopes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.cpu_time import assert_linear
from tests.local.server.test_api import request
from workmail_local.server import page_files
from workmail_local.store.store import _holds

if TYPE_CHECKING:
    from typing import Any

    from workmail_local.testing.workmail_local import WorkMailLocal

pytestmark = pytest.mark.xdist_group("workmail-local")

HANDLERS = Path(__file__).parents[1] / "handlers"
FILES = sorted(path.name for path in (Path(page_files.__file__).with_name("page")).iterdir())
NO_TOKEN = {"Authorization": ""}


def message(subject: str, *, to: str = "bob@example.com", sender: str = "ann@other.test") -> bytes:
    return f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nhi\r\n".encode()


def found(local: WorkMailLocal, text: str, **query: Any) -> list[str]:
    return [one["subject"] for one in local.daemon.client.get("/v1/messages", q=text, **query)["messages"]]


# Files


@pytest.mark.parametrize("path", ["/", *(f"/page/{name}" for name in FILES if name != "index.html")])
def test_the_files_of_the_page_need_no_token_and_carry_its_policy(workmail_local: WorkMailLocal, path: str) -> None:
    address = workmail_local.daemon.ready["api"] + path
    with urlopen(Request(address)) as answer:  # noqa: S310 - our own server
        headers, body = answer.headers, answer.read().decode()
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["frame-src"]) == ("'none'", "'self'", "'none'")
    assert policy["connect-src"] == "'self'"
    assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert policy["require-trusted-types-for"] == "'script'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert {headers[f"Cross-Origin-{name}-Policy"] for name in ("Opener", "Resource")} == {"same-origin"}
    for secret in ("token", "submission_password", "aws_access_key_id"):
        assert workmail_local.daemon.ready[secret] not in body


def test_the_page_names_no_other_host_and_makes_no_html_of_text() -> None:
    for name in FILES:
        text = (Path(page_files.__file__).with_name("page") / name).read_text("utf-8")
        assert "://" not in text, name
        for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "style="):
            assert unsafe not in text, name
        assert text.count("srcdoc") == (1 if name == "mail_frame.js" else 0), name


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
def test_no_page_of_another_site_gets_the_page(workmail_local: WorkMailLocal, headers: dict[str, str]) -> None:
    assert request(workmail_local, "GET", "/", headers)[0] == 403


@pytest.mark.parametrize(
    "path",
    ["/v1/messages", "/v1/places/outbound/x.eml", "/v1/outbound", "/page/", "/page/../v1/status", "//", "/page/x"],
)
def test_everything_else_needs_the_token(workmail_local: WorkMailLocal, path: str) -> None:
    assert request(workmail_local, "GET", path, NO_TOKEN)[0] == 401


# Search


def test_a_search_finds_what_holds_every_word(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies", name="Disclaimer")
    sent = workmail_local.send(message("=?utf-8?q?Gr=C3=BC=C3=9Fe?= 100%_a!"))
    workmail_local.send(message("other", to="carl@example.com", sender="xenia@other.test"))
    hit = ["Grüße 100%_a!"]
    for text in (
        "grü",
        "GRÜSSE",
        "Grüße bob",
        "BOB@example",
        "ann@other",
        "disclaimer DEFAULT bob",
        sent.id,
        "100%_a!",
        "%_",
        "a!",
    ):
        assert found(workmail_local, text) == hit, text
    assert found(workmail_local, "Disclaimer") == ["other", *hit]
    assert found(workmail_local, "xenia bob") == []
    assert found(workmail_local, "Disclaimer", limit=1) == ["other"]
    (newest,) = workmail_local.daemon.client.get("/v1/messages", q="default", limit=1)["messages"]
    assert found(workmail_local, "default", limit=1, before=newest["seq"]) == hit


@pytest.mark.parametrize(
    "text", ["' OR 1=1 --", '"', "a' UNION SELECT", ":word0", "!", "%", "_", "\\", "z\0", "💌", "( ) *"]
)
def test_a_search_is_text_and_nothing_else(workmail_local: WorkMailLocal, text: str) -> None:
    workmail_local.send(message("plain"))
    assert found(workmail_local, text) == []


@pytest.mark.parametrize("unit", ["\u0301\u0323", "ß", "İ", "a"])
def test_a_search_takes_time_that_grows_with_the_text_and_no_faster(unit: str) -> None:
    short, long = unit * 10_000, unit * 40_000
    assert_linear(lambda: _holds(short, "other"), lambda: _holds(long, "other"))


def test_a_search_is_bounded(workmail_local: WorkMailLocal) -> None:
    status, answer = request(workmail_local, "GET", f"/v1/messages?q={'a' * 201}")
    assert (status, json.loads(answer)["error"]["message"]) == (400, "q: found 201 characters; allowed are 200")
    assert found(workmail_local, " ".join("a" * 90)) == []


# What a reader sees, and where


def test_both_versions_are_read(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "content")
    sent = workmail_local.send(b"To: bob@example.com\r\nContent-Type: text/html\r\n\r\n<p>hi</p>\r\n")
    client = workmail_local.daemon.client
    before = client.get(f"/v1/messages/{sent.id}/readable", version="original")
    after = client.get(f"/v1/messages/{sent.id}/readable")
    seen = {"subject": "", "html": "<p>hi</p>\r\n", "text": None, "attachments": [], "remote": 0, "cut": False}
    assert before == seen
    assert after["html"].startswith("<p>hi</p>")
    status, _ = request(workmail_local, "GET", f"/v1/messages/{sent.id}/readable?version=x")
    assert status == 400


@pytest.fixture
def delivered(workmail_local: WorkMailLocal) -> str:
    (outcome,) = workmail_local.send(message("to a place")).outcomes
    assert outcome.place is not None
    return str(outcome.place.relative_to(workmail_local.state))


def test_a_mail_is_read_where_it_lies(workmail_local: WorkMailLocal, delivered: str) -> None:
    path = f"/v1/places/{quote(delivered)}"
    assert request(workmail_local, "GET", path)[1] == message("to a place").decode()
    readable = json.loads(request(workmail_local, "GET", f"{path}?as=readable")[1])
    assert readable["text"] == "hi\r\n"
    (mail,) = workmail_local.daemon.client.get("/v1/mailboxes/bob@example.com", limit=5)["mails"]
    assert (mail["path"], mail["subject"], mail["from"]) == (delivered, "to a place", "ann@other.test")


def test_no_browser_shows_a_message_as_a_page_of_the_api(workmail_local: WorkMailLocal, delivered: str) -> None:
    ready = workmail_local.daemon.ready
    (listed,) = workmail_local.daemon.client.get("/v1/messages")["messages"]
    for path in (f"/v1/places/{quote(delivered)}", f"/v1/messages/{listed['id']}/content"):
        with urlopen(f"{ready['api']}{path}?token={ready['token']}") as answer:  # noqa: S310 - our own server
            headers = answer.headers
        assert headers["Content-Disposition"] == "attachment"
        assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "place",
    [
        *("daemon.json", "mailboxes/../daemon.json", "mailboxes/%2e%2e/daemon.json", "outbound/..%2fdaemon.json"),
        *("/etc/passwd", "%2fetc%2fpasswd", "mailboxes", "mailboxes/link", "outbound/%00", f"outbound/{'a' * 300}"),
    ],
)
def test_a_place_is_a_mail_and_no_other_file(workmail_local: WorkMailLocal, delivered: str, place: str) -> None:
    link = workmail_local.state / "mailboxes" / "link"
    link.symlink_to(workmail_local.state / "daemon.json")
    try:
        status, body = request(workmail_local, "GET", f"/v1/places/{place}")
    finally:
        link.unlink()
    assert (status, workmail_local.daemon.ready["token"] in body) == (404, False)


def test_the_spool_shows_envelopes(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies", name="out", direction="OUTBOUND")
    workmail_local.send(message("leaves", to="x@far.test", sender="ann@example.com"), direction="outbound")
    spool = workmail_local.daemon.client.get("/v1/outbound")
    (mail,) = spool["mails"]
    assert (spool["total"], mail["subject"], mail["recipients"]) == (1, "leaves", ["x@far.test"])
    assert workmail_local.daemon.client.get("/v1/outbound", limit=0) == {"mails": [], "total": 1}
    (workmail_local.state / mail["path"]).with_suffix(".json").unlink()  # by somebody who tidies up
    (mail,) = workmail_local.daemon.client.get("/v1/outbound")["mails"]
    assert (mail["subject"], mail["recipients"]) == ("leaves", [])


# Sending


def test_an_envelope_that_is_not_given_is_that_of_the_message(workmail_local: WorkMailLocal) -> None:
    workmail_local.deploy_handler(HANDLERS / "replies")
    client = workmail_local.daemon.client
    answer = client.post("/v1/messages", message("hello", to="bob@example.com, x@elsewhere.test"))
    assert (answer["mailFrom"], answer["recipients"]) == ("ann@other.test", ["bob@example.com"])
    assert answer["notes"] == ["1 recipients are not the organization's and get nothing (E4)"]
    answer = client.post("/v1/messages", message("hello"), mailFrom="", rcpt="eve@example.com")
    assert (answer["mailFrom"], answer["recipients"], answer["notes"]) == ("", ["eve@example.com"], [])


def test_the_faults_are_listed_with_what_they_do(workmail_local: WorkMailLocal) -> None:
    table = (Path(__file__).parents[3] / "docs" / "local.md").read_text("utf-8")
    for kind in workmail_local.daemon.client.get("/v1/faults")["kinds"]:
        assert f"| `{kind['fault']}` | {kind['effect']} |\n" in table


def test_up_and_status_print_the_page_first(workmail_local: WorkMailLocal) -> None:
    from workmail_constructs.cli.local_view import endpoints

    ready = workmail_local.daemon.ready
    _, page, *_ = endpoints(workmail_local.daemon, "Running.").splitlines()
    assert page == f"page            {ready['api']}/#token={ready['token']}"
    assert not urlsplit(page.split()[1]).query
