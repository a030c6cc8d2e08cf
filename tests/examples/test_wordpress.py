"""The WordPress example, deployed, against a server that keeps posts as WordPress does."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.constructs.steps.installed_wheel import offer_installed
from tests.examples.own_steps import EXAMPLES, SECRET, import_step, know_secret, new_message, put_secret
from tests.examples.protocol_server import Answer, ProtocolServer, Request, running
from workmail_local.testing.workmail_local import WorkMailLocal
from workmail_rules import StepError

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("example-wordpress")

APP = EXAMPLES / "wordpress"
POST = APP / "messages" / "post.eml"
USER, PASSWORD = "bot", "abcd EFGH 1234 ijkl MNOP 5678"
POSTS = "/wp-json/wp/v2/posts"


class WordPress:
    """The posts of a site, by the parts of its REST API that the step uses."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []

    def __call__(self, request: Request) -> Answer:
        given = request.headers.get("authorization", "").removeprefix("Basic ")
        if base64.b64decode(given).decode() != f"{USER}:{PASSWORD}":
            return Answer(401, {"code": "incorrect_password", "data": {"status": 401}})
        if request.path != POSTS:
            return Answer(404, {"code": "rest_no_route", "data": {"status": 404}})
        if request.method == "GET":
            return Answer(200, [{"id": each["id"]} for each in self.posts if each["slug"] in request.query["slug"]])
        self.posts.append({"id": 100 + len(self.posts), **request.json})
        return Answer(201, self.posts[-1])


@pytest.fixture(scope="module")
def wordpress() -> WordPress:
    return WordPress()


@pytest.fixture(scope="module")
def server(wordpress: WordPress) -> Iterator[ProtocolServer]:
    with running(wordpress) as server:
        yield server


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, server: ProtocolServer) -> Iterator[WorkMailLocal]:
    folder = tmp_path_factory.mktemp("wordpress")
    with pytest.MonkeyPatch.context() as patch:
        offer_installed("urllib3", folder / "wheels", patch)
        # Faster, so that WorkMail's waiting between attempts takes less than a second.
        with WorkMailLocal.running(folder / "state", time_scale=240) as local:
            local.deploy_app(APP)
            put_secret(local, {"site": server.url, "user": USER, "password": PASSWORD})
            yield local


@pytest.fixture
def local(deployed: WorkMailLocal, server: ProtocolServer, wordpress: WordPress) -> WorkMailLocal:
    server.instead.clear()
    server.requests.clear()
    wordpress.posts.clear()
    deployed.clear()
    return deployed


def test_a_message_becomes_a_draft_that_runs_nothing(local: WorkMailLocal, wordpress: WordPress) -> None:
    sent = local.send(POST)

    assert sent.succeeded, sent.logs
    assert sent.actions == {"blog@example.com": "DROP"}
    (post,) = wordpress.posts
    assert post["status"] == "draft"
    assert post["title"] == "Café &amp; &lt;b&gt;company&lt;/b&gt;"
    assert post["content"].split("\n") == [
        "<p>The new café is open.<br>Come &amp; see &lt;script&gt;alert(1)&lt;/script&gt; it.</p>",
        "<p>&#91;gallery ids=&quot;1&quot;&#93;</p>",
        "<p>https&#58;//videos.example.net/watch</p>",
    ]
    assert "draft 100" in sent.logs
    assert [word for word in ("café", "alice", PASSWORD, USER + ":") if word in sent.logs] == []


def test_mail_from_outside_and_to_others_is_none_of_its_business(local: WorkMailLocal, server: ProtocolServer) -> None:
    outside = local.send(POST.read_bytes().replace(b"alice@example.com", b"alice@example.net"))
    other = local.send(POST.read_bytes().replace(b"To: blog@", b"To: bob@"))

    assert outside.actions == {"blog@example.com": "DEFAULT"}
    assert other.actions == {"bob@example.com": "DEFAULT"}
    assert server.requests == []


@pytest.mark.fact("T2", "E7")
@pytest.mark.parametrize(
    "failure",
    [
        Answer(401, {"code": "incorrect_password"}),
        Answer(429, b"slow down", {"Retry-After": "30"}),
        Answer(503, b"<h1>maintenance</h1>"),
        Answer(302, headers={"Location": "/elsewhere"}),
        Answer(raw=b"no HTTP"),
        Answer(raw=b""),
    ],
    ids=["refused", "too many", "maintenance", "redirect", "garbage", "hung up"],
)
def test_workmail_tries_again_what_failed(
    local: WorkMailLocal, server: ProtocolServer, wordpress: WordPress, failure: Answer
) -> None:
    server.answer_next(failure)

    sent = local.send(POST)

    assert [each["outcome"] for each in sent.attempts] == ["function-error", "replied"]
    assert sent.actions == {"blog@example.com": "DROP"}
    assert len(wordpress.posts) == 1
    assert [each.path for each in server.requests] == [POSTS] * 3


@pytest.mark.fact("E7")
def test_a_draft_whose_answer_was_lost_is_not_posted_again(
    local: WorkMailLocal, server: ProtocolServer, wordpress: WordPress
) -> None:
    def lose(request: Request) -> Answer:
        wordpress(request)
        return Answer(raw=b"")

    server.instead = [wordpress, lose]

    sent = local.send(POST)

    assert len(sent.attempts) == 2
    assert [each.method for each in server.requests] == ["GET", "POST", "GET"]
    assert len(wordpress.posts) == 1


def test_a_draft_that_was_taken_counts_whatever_the_answer_says(
    local: WorkMailLocal, server: ProtocolServer, wordpress: WordPress
) -> None:
    server.instead = [wordpress, lambda _: Answer(201, b"PHP Warning: something")]

    sent = local.send(POST)

    assert (len(sent.attempts), sent.actions) == (1, {"blog@example.com": "DROP"})
    assert "draft without an id" in sent.logs


def test_the_mailbox_gets_what_could_not_be_posted_in_an_hour(local: WorkMailLocal, server: ProtocolServer) -> None:
    server.instead = [lambda _: Answer(503)] * 1000

    sent = local.send(POST, timeout_s=200)

    assert (sent.succeeded, sent.actions) == (False, {"blog@example.com": "DEFAULT"})
    assert "WordPress answered GET with status 503" in sent.logs
    assert [message["To"] for message in local.inbox("blog@example.com")] == ["blog@example.com"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"site": "http://blog.example.com", "user": "u", "password": "p"}, "the secret is no JSON with an https site"),
        ({"site": "https://blog.example.com", "user": "u"}, "the secret is no JSON with an https site"),
        ("generated", "the secret is no JSON with an https site"),
        ({"site": "http://127.0.0.1:1", "user": "u", "password": "p"}, "WordPress gave no answer: NewConnectionError"),
    ],
)
def test_what_is_wrong_is_said_without_the_secret(monkeypatch: pytest.MonkeyPatch, value: object, problem: str) -> None:
    step = import_step(monkeypatch, APP / "post_draft")
    know_secret(monkeypatch, value)

    with pytest.raises(StepError, match=problem) as raised:
        step.run(new_message(POST.read_bytes()), secret=SECRET)

    assert "blog.example" not in str(raised.value)


def test_a_slow_site_takes_no_more_than_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    step = import_step(monkeypatch, APP / "post_draft")
    with running(lambda _: Answer(raw=b"HTTP/1.1 201 Created", byte_s=1)) as server:
        know_secret(monkeypatch, {"site": server.url, "user": USER, "password": PASSWORD})
        started = time.monotonic()
        with pytest.raises(StepError, match="WordPress gave no answer: ReadTimeoutError"):
            step.run(new_message(POST.read_bytes(), left_s=0.5), secret=SECRET)

    assert time.monotonic() - started < 5


def test_the_secret_is_in_no_variable_and_no_log(local: WorkMailLocal) -> None:
    sent = local.send(POST)
    template = json.dumps(local.client("lambda").list_functions()["Functions"], default=str)

    assert PASSWORD not in template
    assert PASSWORD not in json.dumps(sent.detail)
