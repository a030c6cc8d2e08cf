"""The handler that turns email event logging on and off, against a WorkMail and a CloudFormation on loopback."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.custom_resources.loopback import SECRET, Context, Server, called
from workmail_custom_resources.email_event_logging import handler

if TYPE_CHECKING:
    from collections.abc import Iterator

ID = "m-0123456789abcdef0123456789abcdef"
OTHER_ID = "m-fedcba9876543210fedcba9876543210"
ROLE = "arn:aws:iam::111122223333:role/Mail-EventsRole"


def group(name: str) -> str:
    return f"arn:aws:logs:eu-west-1:111122223333:log-group:{name}:*"


OURS, FORMER, THEIRS = group("Mail-Events-1"), group("Mail-Events-0"), group("/aws/workmail/emailevents/acme")


def properties(**changed: str) -> dict[str, str]:
    return {
        "ServiceToken": "arn",
        "OrganizationId": ID,
        "LogGroupArn": OURS,
        "RoleArn": ROLE,
        "Overwrite": "false",
        **changed,
    }


@dataclass
class World:
    """WorkMail with these configurations by organization, and a CloudFormation that takes answers.

    Attributes:
        failures: By operation, errors that it answers first.
        empty: Whether it answers with nothing, rather than with an error, for an organization that does not log.
    """

    logging: dict[str, dict[str, str]] = field(default_factory=dict)
    failures: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    empty: bool = False
    delay: float = 0

    def __post_init__(self) -> None:
        self.workmail = Server(self._answer)
        self.cloudformation = Server(lambda _target, _body: (200, {}))

    def ask(self, request_type: str = "Create", *, context: Any = None, **more: Any) -> dict[str, Any]:
        """Send a request of CloudFormation; return the answer that came."""
        event = {
            "RequestType": request_type,
            "ResponseURL": f"{self.cloudformation.url}/answer?{SECRET}",
            "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/Mail/1",
            "RequestId": "request-1",
            "ResourceType": "Custom::WorkMailEmailEventLogging",
            "LogicalResourceId": "Configuration",
            "ResourceProperties": properties(),
            **({} if request_type == "Create" else {"PhysicalResourceId": ID}),
            **({"OldResourceProperties": properties()} if request_type == "Update" else {}),
            **more,
        }
        handler(event, context or Context(seconds=120))
        (_, answer, _) = self.cloudformation.requests[-1]
        return answer

    @property
    def calls(self) -> list[str]:
        """The operations that were asked for, without `EmailMonitoringConfiguration` at their ends."""
        return [
            headers["X-Amz-Target"].removeprefix("WorkMailService.").removesuffix("EmailMonitoringConfiguration")
            for _, _, headers in self.workmail.requests
        ]

    def _answer(self, target: str, body: dict[str, Any]) -> tuple[int, object]:
        self.workmail.is_ending.wait(self.delay)
        operation = target.removeprefix("WorkMailService.").removesuffix("EmailMonitoringConfiguration")
        if self.failures.get(operation):
            code, message = self.failures[operation].pop(0)
            return 400, {"__type": code, "message": message}
        organization = body.pop("OrganizationId")
        match operation:
            case "Put":
                self.logging[organization] = body
            case "Delete":
                self.logging.pop(organization, None)
            case "Describe" if organization in self.logging:
                return 200, self.logging[organization]
            case "Describe" if not self.empty:
                return 400, {"__type": "ResourceNotFoundException", "message": "none"}
        return 200, {}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    with called(monkeypatch, made.workmail, made.cloudformation):
        yield made


def logs_to(log_group: str, **more: str) -> dict[str, str]:
    return {"LogGroupArn": log_group, "RoleArn": ROLE, **more}


# Create


@pytest.mark.fact("W2")
@pytest.mark.parametrize("empty", [False, True])
def test_logging_is_turned_on_where_it_is_off(world: World, empty: bool) -> None:
    world.empty = empty

    assert world.ask() == {
        "Status": "SUCCESS",
        "PhysicalResourceId": ID,
        "Data": {},
        "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/Mail/1",
        "RequestId": "request-1",
        "LogicalResourceId": "Configuration",
    }
    assert world.logging == {ID: logs_to(OURS)}
    assert world.calls == ["Describe", "Put"]


@pytest.mark.parametrize("found", [OURS, OURS.removesuffix(":*")])
def test_what_logs_to_our_log_group_is_ours(world: World, found: str) -> None:
    world.logging = {ID: {"LogGroupArn": found}}

    assert world.ask()["Status"] == "SUCCESS"
    assert world.logging == {ID: logs_to(OURS)}


@pytest.mark.fact("W2")
@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_what_is_somebody_elses_is_refused_with_its_log_group_and_what_to_do(world: World, request_type: str) -> None:
    world.logging = {ID: logs_to(THEIRS)}

    answer = world.ask(request_type)

    assert (answer["Status"], answer["PhysicalResourceId"]) == (
        "FAILED",
        "none" if request_type == "Create" else ID,
    )
    assert answer["Reason"] == (
        f"found that the organization {ID} logs its email events to the log group /aws/workmail/emailevents/acme, "
        "which is not of this construct: give EmailEventLogging overwrite=True to log to its own log group from now "
        "on, or turn logging off in the WorkMail console (Logging settings, Email flow log settings) and deploy again"
    )
    assert world.logging == {ID: logs_to(THEIRS)}
    assert "Put" not in world.calls


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_it_is_taken_over_when_told_to(world: World, request_type: str) -> None:
    world.logging = {ID: logs_to(THEIRS)}

    assert world.ask(request_type, ResourceProperties=properties(Overwrite="true"))["Status"] == "SUCCESS"
    assert world.logging == {ID: logs_to(OURS)}


def test_the_longest_name_of_a_log_group_does_not_hide_what_to_do(world: World) -> None:
    world.logging = {ID: logs_to(group("x" * 512))}

    reason = world.ask()["Reason"]

    assert "overwrite=True" in reason
    assert reason.endswith("and deploy again")
    assert int(world.cloudformation.requests[0][2]["Content-Length"]) <= 4_096


# Update


def test_a_log_group_that_the_resource_had_before_is_ours(world: World) -> None:
    world.logging = {ID: logs_to(FORMER)}

    answer = world.ask("Update", OldResourceProperties=properties(LogGroupArn=FORMER))

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", ID)
    assert world.logging == {ID: logs_to(OURS)}


def test_a_rollback_of_an_update_logs_to_the_former_log_group_again(world: World) -> None:
    world.logging = {ID: logs_to(OURS)}

    answer = world.ask("Update", ResourceProperties=properties(LogGroupArn=FORMER), OldResourceProperties=properties())

    assert answer["Status"] == "SUCCESS"
    assert world.logging == {ID: logs_to(FORMER)}


def test_another_organization_is_another_resource(world: World) -> None:
    world.logging = {ID: logs_to(OURS)}

    answer = world.ask("Update", ResourceProperties=properties(OrganizationId=OTHER_ID))

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", OTHER_ID)
    # CloudFormation deletes the former one afterwards, with its properties.
    assert world.logging == {ID: logs_to(OURS), OTHER_ID: logs_to(OURS)}
    assert world.ask("Delete")["Status"] == "SUCCESS"
    assert world.logging == {OTHER_ID: logs_to(OURS)}


def test_logging_that_was_turned_off_by_hand_is_turned_on_by_an_update(world: World) -> None:
    assert world.ask("Update")["Status"] == "SUCCESS"
    assert world.logging == {ID: logs_to(OURS)}


# Delete


@pytest.mark.fact("W2")
def test_a_deletion_turns_ours_off(world: World) -> None:
    world.logging = {ID: logs_to(OURS)}

    answer = world.ask("Delete")

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", ID)
    assert world.logging == {}


@pytest.mark.parametrize("overwrite", ["true", "false"])
def test_a_deletion_leaves_what_is_somebody_elses(world: World, overwrite: str) -> None:
    world.logging = {ID: logs_to(THEIRS)}

    assert world.ask("Delete", ResourceProperties=properties(Overwrite=overwrite))["Status"] == "SUCCESS"
    assert world.logging == {ID: logs_to(THEIRS)}
    assert world.calls == ["Describe"]


@pytest.mark.parametrize("empty", [False, True])
def test_a_deletion_succeeds_where_logging_is_off(world: World, empty: bool) -> None:
    world.empty = empty

    assert world.ask("Delete")["Status"] == "SUCCESS"
    assert world.calls == ["Describe"]


@pytest.mark.parametrize("operation", ["Describe", "Delete"])
@pytest.mark.parametrize("code", ["OrganizationNotFoundException", "OrganizationStateException"])
def test_a_deletion_succeeds_where_the_organization_is_gone(world: World, operation: str, code: str) -> None:
    world.logging = {ID: logs_to(OURS)}
    world.failures = {operation: [(code, "gone")]}

    assert world.ask("Delete")["Status"] == "SUCCESS"


@pytest.mark.parametrize("operation", ["Describe", "Delete"])
@pytest.mark.parametrize("code", ["AccessDeniedException", "InvalidParameterException"])
def test_any_other_failure_to_delete_is_reported(world: World, operation: str, code: str) -> None:
    world.logging = {ID: logs_to(OURS)}
    world.failures = {operation: [(code, "no such luck")] * 3}

    answer = world.ask("Delete")

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", ID)
    assert f"cannot turn the email event logging of {ID} on or off, solve this and deploy again" in answer["Reason"]
    assert "no such luck" in answer["Reason"]


def test_a_creation_that_failed_half_way_is_undone(world: World) -> None:
    world.logging = {ID: logs_to(OURS)}

    answer = world.ask("Delete", PhysicalResourceId="none")

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", "none")
    assert world.logging == {}


def test_a_creation_that_failed_does_not_fail_its_rollback(world: World) -> None:
    world.failures = {"Describe": [("AccessDeniedException", "no")] * 3}

    assert world.ask("Delete", PhysicalResourceId="none")["Status"] == "SUCCESS"


# What WorkMail answers at first, or always


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("Describe", "AccessDeniedException"),
        ("Put", "AccessDeniedException"),
        ("Put", "InvalidParameterException"),
        ("Put", "ResourceNotFoundException"),
    ],
)
def test_what_was_made_a_moment_ago_is_waited_for(world: World, operation: str, code: str) -> None:
    world.failures = {operation: [(code, "not yet")] * 2}

    assert world.ask()["Status"] == "SUCCESS"
    assert world.calls.count(operation) == 3
    assert world.logging == {ID: logs_to(OURS)}


@pytest.mark.parametrize(
    ("operation", "code"),
    [("Put", "AccessDeniedException"), ("Put", "InvalidParameterException"), ("Describe", "AccessDeniedException")],
)
def test_what_does_not_come_to_count_is_reported(world: World, operation: str, code: str) -> None:
    world.failures = {operation: [(code, "the role cannot be assumed")] * 3}

    answer = world.ask()

    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", "none")
    assert "the role cannot be assumed" in answer["Reason"]


@pytest.mark.parametrize("code", ["OrganizationNotFoundException", "OrganizationStateException"])
def test_an_organization_that_is_gone_is_reported_at_once(world: World, code: str) -> None:
    world.failures = {"Describe": [(code, "gone")]}

    answer = world.ask()

    assert answer["Status"] == "FAILED"
    assert code in answer["Reason"]
    assert world.calls == ["Describe"]


@pytest.mark.parametrize("request_type", ["Create", "Delete"])
def test_a_call_that_hangs_is_answered_in_time(world: World, request_type: str) -> None:
    world.delay = 3

    started = time.monotonic()
    answer = world.ask(request_type, context=Context(seconds=25.2))

    assert time.monotonic() - started < 2
    assert answer["Status"] == "FAILED"
    assert answer["Reason"] == f"WorkMail did not answer for {ID} within 0 seconds: deploy again"


@pytest.mark.parametrize("missing", ["OrganizationId", "LogGroupArn", "RoleArn", "Overwrite"])
def test_a_request_without_a_property_is_answered(world: World, missing: str) -> None:
    given = properties()
    del given[missing]
    world.logging = {ID: logs_to(THEIRS)} if missing == "Overwrite" else {}

    assert world.ask(ResourceProperties=given)["Status"] == "FAILED"


def test_the_log_has_ids_and_no_secret(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.ask()

    assert json.loads(capsys.readouterr().out) == {
        "RequestType": "Create",
        "StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/Mail/1",
        "RequestId": "request-1",
        "LogicalResourceId": "Configuration",
        "PhysicalResourceId": ID,
        "Status": "SUCCESS",
    }
