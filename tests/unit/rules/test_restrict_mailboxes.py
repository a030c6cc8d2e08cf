"""`RestrictMailboxes` as a plain function, against a directory whose requests botocore's model judges."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from tests.unit.rules.running import conversation_of, inbound, outbound
from workmail_rules import directory, restrict_mailboxes
from workmail_rules.message import Message
from workmail_rules.step_errors import StepError
from workmail_runtime.content_errors import ServiceError, ServiceUnreachableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workmail_runtime.event import Event

ORGANIZATION: Final = "m-0123456789abcdef0123456789abcdef"
MODEL: Final = ServiceModel(Loader().load_service_model("workmail", "service-2"), "workmail")
OUTSIDER: Final = "carol@example.net"


class FakeWorkMail:
    """A directory with a small page, so that every list has several.

    Args:
        finds_aliases: Whether `DescribeEntity` finds an alias, which WorkMail's pages leave open.
    """

    def __init__(self, *, finds_aliases: bool = False, page: int = 2) -> None:
        self.finds_aliases = finds_aliases
        self.page = page
        self.calls: list[str] = []
        self.entities: dict[str, dict[str, Any]] = {}
        self.add("interns@example.com", "alice@example.com", "juniors@example.com", aliases=["trainees@example.com"])
        self.add("juniors@example.com", "dora@example.com", "erin@example.com", "interns@example.com")
        self.add("alice@example.com", aliases=["a@example.com", "al@example.com", "ally@example.org"])
        for name in ("bob", "dora", "erin"):
            self.add(f"{name}@example.com")

    def add(self, email: str, *members: str, aliases: Sequence[str] = ()) -> None:
        self.entities[f"entity-{email}"] = {"email": email, "members": members, "aliases": list(aliases)}

    def call(self, service: str, operation: str, arguments: dict[str, Any], *, deadline: float | None) -> Any:
        assert service == "WorkMail"
        assert deadline is not None
        report = ParamValidator().validate(arguments, MODEL.operation_model(operation).input_shape)
        assert not report.has_errors(), report.generate_report()
        assert arguments["OrganizationId"] == ORGANIZATION
        self.calls.append(operation)
        return getattr(self, operation)(arguments)

    def DescribeEntity(self, asked: dict[str, Any]) -> Any:  # noqa: N802 - the operation's name
        for entity_id, entity in self.entities.items():
            aliases = entity["aliases"] if self.finds_aliases else []
            if asked["Email"] in (entity["email"], *aliases):
                return {"EntityId": entity_id, "Name": entity["email"], "Type": self._kind(entity)}
        raise ServiceError("EntityNotFoundException", "no such entity", status=400, request_id=None)

    def ListGroupMembers(self, asked: dict[str, Any]) -> Any:  # noqa: N802
        members = [f"entity-{each}" for each in self.entities[asked["GroupId"]]["members"]]
        found = [{"Id": each, "Type": self._kind(self.entities[each]), "State": "ENABLED"} for each in members]
        return self._paged("Members", found, asked)

    def ListAliases(self, asked: dict[str, Any]) -> Any:  # noqa: N802
        return self._paged("Aliases", self.entities[asked["EntityId"]]["aliases"], asked)

    def ListMailDomains(self, asked: dict[str, Any]) -> Any:  # noqa: N802
        names = ("example.com", "Example.ORG", "example.awsapps.com")
        return self._paged("MailDomains", [{"DomainName": name} for name in names], asked)

    def _kind(self, entity: dict[str, Any]) -> str:
        return "GROUP" if entity["members"] else "USER"

    def _paged(self, name: str, items: list[Any], asked: dict[str, Any]) -> dict[str, Any]:
        start = int(asked.get("NextToken", 0))
        end = start + self.page
        return {name: items[start:end], "NextToken": str(end) if end < len(items) else None}


class Step:
    """The step, with the directory it reads and a clock."""

    def __init__(self, patch: pytest.MonkeyPatch, workmail: FakeWorkMail) -> None:
        self.workmail = workmail
        self.now = 1_000.0
        patch.setattr(directory, "call", workmail.call)
        patch.setattr(directory, "time", SimpleNamespace(monotonic=lambda: self.now))
        restrict_mailboxes._directory.cache_clear()

    def run(self, event: Event, *, report_to: Sequence[str] = (), domains: Sequence[str] = ()) -> dict[str, str]:
        """Run it; return the action for each recipient of the reply."""
        conversation = conversation_of(event)
        message = Message(conversation, step="RestrictMailboxes", recipients=conversation.outcomes.left)
        restrict_mailboxes.run(
            message,
            organization_id=ORGANIZATION,
            group="interns@example.com",
            domains=tuple(domains),
            max_age_s=300,
            report_to=tuple(report_to),
            action="BOUNCE",
            text="Inside only.",
        )
        self.metrics = conversation.metrics
        left = conversation.outcomes.left
        self.reply = json.loads(json.dumps(conversation.outcomes.reply().to_dict()))
        return {each: "delivered" if each in left else "refused" for each in event.recipients}


@pytest.fixture
def step(monkeypatch: pytest.MonkeyPatch) -> Step:
    return Step(monkeypatch, FakeWorkMail())


MEMBERS = (
    "alice@example.com",
    "ALICE@Example.COM",
    "a@example.com",
    "ally@example.org",
    "alice+news@example.com",
    "dora@example.com",
    "interns@example.com",
    "juniors@example.com",
    "trainees@example.com",
)


@pytest.mark.fact("D1", "D2")
@pytest.mark.parametrize("finds_aliases", [False, True])
@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_gets_no_mail_from_outside(
    monkeypatch: pytest.MonkeyPatch, member: str, *, finds_aliases: bool
) -> None:
    step = Step(monkeypatch, FakeWorkMail(finds_aliases=finds_aliases))
    assert step.run(inbound(member, "bob@example.com")) == {member: "refused", "bob@example.com": "delivered"}


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_sends_no_mail_outside(step: Step, member: str) -> None:
    sent = outbound("bob@example.com", OUTSIDER, "x@example.org", mailFrom=None)
    event = type(sent)(**{**_fields(sent), "mail_from": member})
    assert step.run(event) == {"bob@example.com": "delivered", OUTSIDER: "refused", "x@example.org": "delivered"}


@pytest.mark.fact("E3")
def test_a_member_sends_no_mail_outside_on_behalf_of_another_nor_another_on_its_behalf(step: Step) -> None:
    sent = _fields(outbound(OUTSIDER))
    for senders in (("alice@example.com", "bob@example.com"), ("bob@example.com", "alice@example.com")):
        event = type(outbound(OUTSIDER))(**{**sent, "mail_from": senders[0], "sender": senders[1]})
        assert step.run(event) == {OUTSIDER: "refused"}


def test_who_is_no_member_sends_and_gets_all_mail(step: Step) -> None:
    sent = outbound(OUTSIDER)
    assert step.run(type(sent)(**{**_fields(sent), "mail_from": "bob@example.com"})) == {OUTSIDER: "delivered"}
    assert step.run(inbound("bob@example.com")) == {"bob@example.com": "delivered"}


def test_mail_inside_passes_without_a_question_about_anybody(step: Step) -> None:
    event = inbound("alice@example.com")
    inside = type(event)(**{**_fields(event), "mail_from": "bob@example.org"})
    assert step.run(inside) == {"alice@example.com": "delivered"}
    assert set(step.workmail.calls) == {"ListMailDomains"}
    step.workmail.calls.clear()
    assert step.run(inside, domains=["example.com", "example.org"]) == {"alice@example.com": "delivered"}
    assert step.workmail.calls == []


def test_the_null_sender_is_outside(step: Step) -> None:
    event = inbound("alice@example.com")
    assert step.run(type(event)(**{**_fields(event), "mail_from": ""})) == {"alice@example.com": "refused"}


@pytest.mark.fact("R6")
def test_a_report_copy_goes_out_only_where_mail_is_refused(step: Step) -> None:
    step.run(inbound("alice@example.com"), report_to=["security@example.com"])
    named = [action for action in step.reply["actions"] if "security@example.com" in action.get("recipients", ())]
    assert [action["action"]["type"] for action in named] == ["DEFAULT"]
    step.run(inbound("bob@example.com"), report_to=["security@example.com"])
    assert "security@example.com" not in json.dumps(step.reply)


def test_answers_are_kept_for_the_stated_time_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Step(monkeypatch, FakeWorkMail(page=100))
    step.run(inbound("alice@example.com"), domains=["example.com"])
    assert sorted(step.workmail.calls) == ["DescribeEntity", "DescribeEntity", "ListGroupMembers", "ListGroupMembers"]
    step.workmail.calls.clear()
    step.now += 299
    step.run(inbound("alice@example.com"), domains=["example.com"])
    assert step.workmail.calls == []
    step.workmail.entities["entity-interns@example.com"]["members"] = ("bob@example.com",)
    step.now += 2
    assert step.run(inbound("alice@example.com"), domains=["example.com"]) == {"alice@example.com": "delivered"}


def test_an_address_that_workmail_cannot_have_is_not_asked_about(step: Step) -> None:
    odd = ['"two words"@example.com', "æ@example.com", f"{'x' * 300}@example.com", "no-domain"]
    assert set(step.run(inbound(*odd), domains=["example.com"]).values()) == {"delivered"}


def test_a_group_that_does_not_exist_fails_the_step_without_naming_an_address(step: Step) -> None:
    del step.workmail.entities["entity-interns@example.com"]
    with pytest.raises(StepError, match="the group does not exist") as caught:
        step.run(inbound("alice@example.com"))
    assert "@" not in str(caught.value)


def test_a_directory_that_cannot_be_read_fails_the_step(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> Any:
        raise ServiceUnreachableError("no answer")

    monkeypatch.setattr(directory, "call", unreachable)
    with pytest.raises(ServiceUnreachableError):
        step.run(inbound("alice@example.com"))


def test_a_member_that_is_disabled_or_gone_has_no_aliases(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    for code in ("EntityStateException", "EntityNotFoundException"):
        restrict_mailboxes._directory.cache_clear()

        def refuse(*_: Any, code: str = code) -> Any:
            raise ServiceError(code, "", status=400, request_id=None)

        monkeypatch.setattr(FakeWorkMail, "ListAliases", refuse)
        assert step.run(inbound("info@example.com")) == {"info@example.com": "delivered"}


def test_another_refusal_fails_the_step(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise ServiceError("AccessDeniedException", "", status=400, request_id=None)

    monkeypatch.setattr(FakeWorkMail, "DescribeEntity", refuse)
    with pytest.raises(ServiceError, match="AccessDenied"):
        step.run(inbound("alice@example.com"))


def test_a_list_that_never_ends_fails_the_step(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeWorkMail, "ListMailDomains", lambda *_: {"MailDomains": [], "NextToken": "again"})
    with pytest.raises(StepError, match="more than 1,000 pages"):
        step.run(inbound("alice@example.com"))


def test_what_is_kept_of_the_directory_is_bounded(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "_MAX_KEPT", 20)
    known = directory.Directory(ORGANIZATION, 300)
    for n in range(100):
        known.entity_id(f"nobody{n}@example.com", deadline=1.0)
    assert len(known._kept) <= 20


@pytest.mark.fact("E6")
def test_recipients_that_the_event_leaves_out_fail_the_step_where_they_could_be_members(step: Step) -> None:
    event = inbound("bob@example.com")
    with pytest.raises(StepError, match="leaves recipients out"):
        step.run(type(event)(**{**_fields(event), "truncated": True}))
    inside = type(event)(**{**_fields(event), "truncated": True, "mail_from": "bob@example.com"})
    assert step.run(inside) == {"bob@example.com": "delivered"}


def _fields(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event._fields}
