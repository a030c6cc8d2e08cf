"""WorkMail's reads of the directory, through boto3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from workmail_local.directory import DIRECTORY_FILE, save_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.local.aws.conftest import LocalAws

pytestmark = pytest.mark.xdist_group("aws")

ORGANIZATION = "m-0123456789abcdef0123456789abcdef"
USERS = [{"email": "mary@example.com", "aliases": ["m@example.com", "smith@example.com"]}, {"email": "bob@example.com"}]
GROUPS = [
    {"email": "staff@example.com", "members": ["mary@example.com", "interns@example.com"]},
    {"email": "interns@example.com", "members": ["bob@example.com"], "aliases": ["trainees@example.com"]},
]


@pytest.fixture
def workmail(aws: LocalAws) -> Iterator[Any]:
    save_directory(aws.state, {"users": USERS, "groups": GROUPS, "domains": ["example.com", "example.org"]})
    yield aws.client("workmail")
    (aws.state / DIRECTORY_FILE).unlink()


def entity(workmail: Any, email: str) -> dict[str, str]:
    found: dict[str, str] = workmail.describe_entity(OrganizationId=ORGANIZATION, Email=email)
    return found


@pytest.mark.fact("D1")
def test_an_entity_is_found_by_its_address_and_not_by_an_alias(workmail: Any) -> None:
    assert entity(workmail, "Mary@example.com")["Type"] == "USER"
    assert entity(workmail, "staff@example.com")["Type"] == "GROUP"
    for unknown in ("m@example.com", "nobody@example.com"):
        with pytest.raises(workmail.exceptions.EntityNotFoundException):
            entity(workmail, unknown)


@pytest.mark.fact("D2")
def test_members_groups_and_aliases_are_listed(workmail: Any) -> None:
    staff, interns, mary = (
        entity(workmail, f"{name}@example.com")["EntityId"] for name in ("staff", "interns", "mary")
    )
    members = workmail.list_group_members(OrganizationId=ORGANIZATION, GroupId="staff@example.com")["Members"]
    assert [(each["Id"], each["Type"], each["State"]) for each in members] == [
        (mary, "USER", "ENABLED"),
        (interns, "GROUP", "ENABLED"),
    ]
    groups = workmail.list_groups_for_entity(OrganizationId=ORGANIZATION, EntityId=mary)["Groups"]
    assert groups == [{"GroupId": staff, "GroupName": "staff"}]
    filtered = workmail.list_groups_for_entity(
        OrganizationId=ORGANIZATION, EntityId=mary, Filters={"GroupNamePrefix": "x"}
    )
    assert filtered["Groups"] == []
    aliases = workmail.list_aliases(OrganizationId=ORGANIZATION, EntityId=mary)["Aliases"]
    assert aliases == ["m@example.com", "smith@example.com"]


@pytest.mark.fact("D2")
def test_lists_come_in_pages(workmail: Any) -> None:
    for operation, name in (
        ("list_users", "Users"),
        ("list_groups", "Groups"),
        ("list_mail_domains", "MailDomains"),
    ):
        list_page = getattr(workmail, operation)
        first = list_page(OrganizationId=ORGANIZATION, MaxResults=1)
        second = list_page(OrganizationId=ORGANIZATION, MaxResults=1, NextToken=first["NextToken"])
        assert first[name] + second[name] == list_page(OrganizationId=ORGANIZATION)[name]
        assert "NextToken" not in second


def test_a_change_of_the_file_shows_at_once_and_a_broken_file_is_named(workmail: Any, aws: LocalAws) -> None:
    save_directory(aws.state, {"domains": ["example.net"]})
    domains = workmail.list_mail_domains(OrganizationId=ORGANIZATION)["MailDomains"]
    assert domains == [{"DomainName": "example.net", "DefaultDomain": True}]
    (aws.state / DIRECTORY_FILE).write_text("{")
    with pytest.raises(ClientError, match=r"directory\.json: found text that is not JSON"):
        workmail.list_mail_domains(OrganizationId=ORGANIZATION)


def test_a_filter_that_is_not_there_is_named(workmail: Any) -> None:
    with pytest.raises(ClientError, match="PrimaryEmailPrefix here, not State"):
        workmail.list_users(OrganizationId=ORGANIZATION, Filters={"State": "ENABLED"})


@pytest.mark.parametrize(
    ("data", "found"),
    [
        ([], "the directory is"),
        ({"people": []}, "the directory has people; allowed are users, groups, domains"),
        ({"users": "mary"}, "users is 'mary'; it must be a list"),
        ({"users": [{"email": "mary"}]}, r"users\[0\]: 'mary' is no address"),
        ({"users": [{"email": "a@b.example", "members": []}]}, r"users\[0\] has members"),
        ({"groups": [{"email": "a@b.example", "members": ["x@b.example"]}]}, "has the member x@b.example"),
        (
            {"users": [{"email": "a@b.example"}, {"email": "c@b.example", "aliases": ["A@b.example"]}]},
            "A@b.example is an address of c@b.example and of a@b.example",
        ),
    ],
)
def test_what_is_no_directory_is_refused(data: Any, found: str, aws: LocalAws) -> None:
    with pytest.raises((ValueError, TypeError), match=found):
        save_directory(aws.state, data)
    assert not (aws.state / DIRECTORY_FILE).exists()
