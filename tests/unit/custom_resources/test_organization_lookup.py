"""The handler that finds an organization by its alias, against a WorkMail and a CloudFormation on loopback."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.custom_resources.loopback import SECRET, Context, Server, called
from workmail_custom_resources.organization_lookup import handler

if TYPE_CHECKING:
    from collections.abc import Iterator

ID = "m-0123456789abcdef0123456789abcdef"
OTHER_ID = "m-fedcba9876543210fedcba9876543210"


@dataclass
class World:
    """WorkMail with these pages of organizations, or with an error; and a CloudFormation that takes answers."""

    pages: list[list[dict[str, str]]] = field(default_factory=list)
    failures: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    delay: float = 0

    def __post_init__(self) -> None:
        self.workmail = Server(self._list)
        self.cloudformation = Server(lambda _target, _body: (self.statuses.pop(0) if self.statuses else 200, {}))

    def ask(
        self, request_type: str = "Create", *, alias: str = "acme", context: Any = None, **more: Any
    ) -> dict[str, Any]:
        """Send a request of CloudFormation; return the answer that came."""
        handler(self.event(request_type, alias=alias, **more), context or Context())
        (_, answer, _) = self.cloudformation.requests[-1]
        return answer

    def event(self, request_type: str = "Create", *, alias: str = "acme", **more: Any) -> dict[str, Any]:
        return {
            "RequestType": request_type,
            "ResponseURL": f"{self.cloudformation.url}/answer?{SECRET}",
            "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/Mail/1",
            "RequestId": "request-1",
            "ResourceType": "Custom::WorkMailOrganization",
            "LogicalResourceId": "Lookup",
            "ResourceProperties": {"ServiceToken": "arn", "Alias": alias},
            **more,
        }

    def _list(self, target: str, body: dict[str, Any]) -> tuple[int, object]:
        assert target == "WorkMailService.ListOrganizations"
        self.workmail.is_ending.wait(self.delay)
        if self.failures:
            return self.failures.pop(0)
        number = int(body.get("NextToken", 0))
        more = {"NextToken": str(number + 1)} if number + 1 < len(self.pages) else {}
        return 200, {"OrganizationSummaries": self.pages[number] if self.pages else [], **more}


def organization(alias: str, id: str = ID, state: str = "Active") -> dict[str, str]:  # noqa: A002
    return {"OrganizationId": id, "Alias": alias, "State": state}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    with called(monkeypatch, made.workmail, made.cloudformation):
        yield made


@pytest.mark.fact("L3", "L8")
def test_the_id_is_the_answer(world: World) -> None:
    world.pages = [[organization("other", OTHER_ID), organization("acme")]]

    assert world.ask() == {
        "Status": "SUCCESS",
        "PhysicalResourceId": ID,
        "Data": {"OrganizationId": ID},
        "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/Mail/1",
        "RequestId": "request-1",
        "LogicalResourceId": "Lookup",
    }
    ((path, _, headers),) = world.cloudformation.requests
    assert (path, headers["Content-Type"]) == (f"/answer?{SECRET}", "")


@pytest.mark.fact("L8")
def test_a_later_page_has_it(world: World) -> None:
    world.pages = [[organization(f"other{page}{each}", OTHER_ID) for each in range(100)] for page in range(3)]
    world.pages[2][99] = organization("acme")

    assert world.ask()["PhysicalResourceId"] == ID
    assert [body for _, body, _ in world.workmail.requests] == [
        {"MaxResults": 100},
        {"MaxResults": 100, "NextToken": "1"},
        {"MaxResults": 100, "NextToken": "2"},
    ]


def test_pages_without_end_are_read_to_a_limit(world: World) -> None:
    world.pages = [[organization("other", OTHER_ID)]] * 1_000

    assert world.ask()["Status"] == "FAILED"
    assert len(world.workmail.requests) == 50


@pytest.mark.fact("L8")
def test_a_deleted_organization_is_passed_over(world: World) -> None:
    world.pages = [[organization("acme", OTHER_ID, "Deleted"), organization("acme")]]

    assert world.ask()["PhysicalResourceId"] == ID


@pytest.mark.fact("L2", "L8")
@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ([], "found no organization"),
        ([organization("acme", state="Deleted")], "found acme (Deleted)"),
        ([organization("Acme"), organization("acme-2")], "found Acme (Active), acme-2 (Active)"),
        ([organization(f"a{each}") for each in range(9)], "a3 (Active), a4 (Active) and 4 more"),
        ([organization(f"{each}" * 62) for each in range(9)], f"found {'0' * 62} (Active)"),
    ],
)
def test_none_found_says_where_it_looked_what_is_there_and_what_to_do(
    world: World, listed: list[dict[str, str]], found: str
) -> None:
    world.pages = [listed]

    answer = world.ask()

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "none")
    assert (
        "did not find the organization with the alias 'acme' in eu-west-1 of account 111122223333" in answer["Reason"]
    )
    assert found in answer["Reason"]
    assert "deploy the stack in the Region and account of the organization" in answer["Reason"]
    assert "Data" not in answer


def test_another_alias_gives_another_physical_id(world: World) -> None:
    world.pages = [[organization("acme"), organization("other", OTHER_ID)]]

    answer = world.ask("Update", alias="other", PhysicalResourceId=ID, OldResourceProperties={"Alias": "acme"})

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", OTHER_ID)


def test_an_update_that_fails_keeps_the_physical_id_so_that_nothing_is_replaced(world: World) -> None:
    answer = world.ask("Update", alias="gone", PhysicalResourceId=ID, OldResourceProperties={"Alias": "acme"})

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", ID)


def test_a_deletion_succeeds_without_a_call(world: World) -> None:
    answer = world.ask("Delete", PhysicalResourceId=ID)

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", ID)
    assert world.workmail.requests == []


def test_a_throttled_call_is_repeated(world: World) -> None:
    world.pages = [[organization("acme")]]
    world.failures = [(400, {"__type": "ThrottlingException", "message": "Rate exceeded"})]

    assert world.ask()["PhysicalResourceId"] == ID
    assert len(world.workmail.requests) == 2


def test_a_right_that_arrives_late_is_waited_for(world: World) -> None:
    world.pages = [[organization("acme")]]
    world.failures = [(400, {"__type": "AccessDeniedException", "message": "not yet"})] * 2

    assert world.ask()["PhysicalResourceId"] == ID


def test_a_missing_right_is_named(world: World) -> None:
    said = "User: arn is not authorized to perform: workmail:ListOrganizations"
    world.failures = [(400, {"__type": "AccessDeniedException", "message": said})] * 3

    reason = world.ask()["Reason"]

    assert "cannot look up the organization with the alias 'acme' in eu-west-1 of account 111122223333" in reason
    assert said in reason
    assert "solve this and deploy again" in reason


def test_any_other_error_is_answered_at_once(world: World) -> None:
    world.failures = [(400, {"__type": "InvalidParameterException", "message": "Bad token"})]

    assert "Bad token" in world.ask()["Reason"]
    assert len(world.workmail.requests) == 1


def test_a_call_that_hangs_is_answered_in_time(world: World) -> None:
    world.delay = 3

    started = time.monotonic()
    reason = world.ask(context=Context(seconds=25.2))["Reason"]

    assert time.monotonic() - started < 2
    assert "WorkMail did not name the organization with the alias 'acme'" in reason
    assert reason.endswith("deploy again")


def test_a_request_without_alias_is_answered(world: World) -> None:
    assert world.ask(ResourceProperties={})["Status"] == "FAILED"


def test_the_longest_answer_is_one_that_cloudformation_takes(world: World) -> None:
    world.failures = [(400, {"__type": "InvalidParameterException", "message": "\N{SNOWMAN}" * 5_000})]

    world.ask(alias="\N{SNOWMAN}" * 5_000)

    assert int(world.cloudformation.requests[0][2]["Content-Length"]) <= 4_096


def test_an_answer_is_sent_again_until_it_is_taken(world: World) -> None:
    world.statuses = [503, 503]

    assert world.ask("Delete", PhysicalResourceId=ID)["Status"] == "SUCCESS"
    assert len(world.cloudformation.requests) == 3


def test_an_answer_that_is_not_taken_fails_the_function_without_telling_the_address(world: World) -> None:
    world.statuses = [403] * 3

    with pytest.raises(RuntimeError) as failed:
        world.ask("Delete", PhysicalResourceId=ID)
    assert str(failed.value) == "CloudFormation did not take the answer: status 403"


def test_an_endpoint_that_is_gone_fails_the_function(world: World) -> None:
    world.cloudformation.server_close()

    with pytest.raises(RuntimeError, match="did not take the answer: ConnectionRefusedError"):
        handler(world.event("Delete", PhysicalResourceId=ID), Context())


@pytest.mark.parametrize("url", ["http://example.com/answer", "file:///etc/passwd", "ftp://127.0.0.1/", ""])
def test_the_answer_goes_to_no_other_address_than_https_or_this_machine(world: World, url: str) -> None:
    with pytest.raises(ValueError, match=r"ResponseURL: found '.*'; allowed is https"):
        handler(world.event("Delete", PhysicalResourceId=ID, ResponseURL=url), Context())


def test_the_log_has_ids_and_no_secret(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.pages = [[organization("acme")]]

    world.ask()

    assert json.loads(capsys.readouterr().out) == {
        "RequestType": "Create",
        "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/Mail/1",
        "RequestId": "request-1",
        "LogicalResourceId": "Lookup",
        "PhysicalResourceId": ID,
        "Status": "SUCCESS",
    }
