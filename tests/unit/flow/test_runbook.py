"""The runbook: where, every field an administrator types in an order that loses no mail, how to test and check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.flow.rule_files import entry, rules
from workmail_flow.console_test import console_test
from workmail_flow.runbook import creation_order
from workmail_flow.runbook import runbook as of_declared
from workmail_flow.template import DeclaredRules

if TYPE_CHECKING:
    from workmail_flow.rule_set import RuleSet

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
ORGANIZATION_ID = "m-0123456789abcdef0123456789abcdef"
ORGANIZATION_ARN = f"arn:aws:workmail:us-east-1:123456789012:organization/{ORGANIZATION_ID}"
TEMPLATE_ARN = f"arn:aws:workmail:${{AWS::Region}}:${{AWS::AccountId}}:organization/{ORGANIZATION_ID}"
FUNCTION_OUTPUT = "the output FnArn of stack Mail"


def runbook(rule_set: RuleSet, *, organization_arn: str = "", domains: tuple[str, ...] = (), **more: Any) -> str:
    declared = DeclaredRules(
        **{
            "organization_id": ORGANIZATION_ID,
            "organization_arn": organization_arn,
            "domains": domains,
            "rules": rule_set,
            **more,
        }
    )
    return of_declared(declared)


def section(book: str, title: str) -> str:
    return book.partition(f"## {title}\n")[2].partition("\n## ")[0]


@pytest.mark.fact("L7", "F13")
def test_a_synchronous_rule_has_all_its_fields() -> None:
    book = runbook(
        rules(
            entry(
                "RUN_LAMBDA",
                "*.x.test mary@y.test",
                name="Add | disclaimer",
                direction="outbound",
                function=ARN,
                synchronous=True,
                fallback="BOUNCE",
                ruleTimeoutMinutes=45,
            )
        ),
    )
    for line in (
        "# Email flow rules of organization `m-0123456789abcdef0123456789abcdef`",
        "**Outbound rules** → **Create**. Enter:",
        r"| Rule name | `Add \| disclaimer` |",
        "| Action | **Run Lambda** |",
        f"| Lambda function | `{ARN}` |",
        "| Run synchronously | **yes** |",
        "| Fallback action | **Bounce** |",
        "| Rule timeout (minutes) | **45** |",
        "*.x.test",
        "mary@y.test",
    ):
        assert f"{line}\n" in book


@pytest.mark.fact("L6")
def test_it_says_when_workmail_ends() -> None:
    assert "WorkMail ends on 2027-03-31" in runbook(rules())


def test_an_arn_that_is_not_known_comes_with_the_command_that_prints_it() -> None:
    book = runbook(
        rules(entry("RUN_LAMBDA", function=FUNCTION_OUTPUT)), organization_arn=ORGANIZATION_ARN, stacks=("Mail",)
    )
    assert "| Lambda function | the ARN found in the output FnArn of stack Mail |" in book
    assert "First deploy the function's stack; only then" in book
    assert (
        "```console\naws cloudformation describe-stacks --stack-name Mail --region us-east-1 "
        "--query \"Stacks[0].Outputs[?OutputKey=='FnArn'].OutputValue\" --output text\n```\n"
    ) in book
    assert "among the outputs of its stack once that is deployed" in runbook(rules(entry("RUN_LAMBDA")))


@pytest.mark.fact("L3")
def test_region_and_account_come_first() -> None:
    lines = runbook(rules(entry("DROP")), organization_arn=ORGANIZATION_ARN).splitlines()
    assert lines[4:7] == [
        "| Region | `us-east-1` |",
        "| AWS account | `123456789012` |",
        f"| Organization, its id | `{ORGANIZATION_ID}` |",
    ]
    assert not any(line.startswith("aws cloudformation") for line in lines)


@pytest.mark.fact("L2")
def test_region_and_account_are_those_of_a_function_of_the_rules() -> None:
    book = runbook(rules(entry("DROP"), entry("RUN_LAMBDA", function=ARN)))
    assert "| Region | `us-east-1` |\n| AWS account | `123456789012` |\n" in book


def test_what_only_the_deployment_knows_comes_with_the_command_that_prints_it() -> None:
    book = runbook(rules(entry("DROP")), organization_arn=TEMPLATE_ARN, stacks=("Mail", "Other"))
    assert "| Region | that of stack `Mail`; the command below prints it |" in book
    assert ('aws cloudformation describe-stacks --stack-name Mail --query "Stacks[0].StackId" --output text\n') in book
    assert "`workmail-flow rules runbook --stack Mail`" in book
    half = runbook(rules(), organization_arn=TEMPLATE_ARN.replace("${AWS::Region}", "eu-west-1"), stacks=("Mail",))
    assert "| Region | `eu-west-1` |\n| AWS account | that of stack `Mail`" in half
    assert "--stack-name Mail --region eu-west-1 --query" in half
    assert "| Region | not known: a rule file names none" in runbook(rules(entry("DROP")))


@pytest.mark.fact("F1")
def test_rules_of_one_name_are_one_line_before_the_steps() -> None:
    book = runbook(rules(*[entry("DROP")] * 15, entry("BOUNCE")))
    line = "**15 rules are named `DROP`.** WorkMail takes each name once: have them renamed first.\n"
    assert book.count(line) == 1
    assert book.index(line) < book.index("## 1. ")
    assert "are named" not in runbook(rules(entry("DROP")))


@pytest.mark.fact("L8")
def test_an_organization_is_shown_by_its_alias_as_in_the_console() -> None:
    of_app = runbook(rules(), organization_id="acme", organization_alias="acme")
    assert "| Organization, its alias | `acme` |\n\n" in of_app
    assert "**Organizations** → `acme` →" in of_app
    of_stack = runbook(rules(), organization_alias="acme")
    assert f"| Organization, its alias | `acme` |\n| Organization, its id | `{ORGANIZATION_ID}` |" in of_stack


def test_it_says_what_a_rule_is_for_what_happens_and_whom_to_ask() -> None:
    book = runbook(rules(entry("DROP", description="Known *spammers*", owner="Ann, ann@example.com"), entry("BOUNCE")))
    assert section(book, "2. DROP").startswith(
        r"""
- What for: Known \*spammers\*
- What happens: Nobody gets the mail, and its sender gets no notice.
- Whom to ask: Ann, ann@example.com
"""
    )
    assert "- What for: nobody has described it.\n" in section(book, "1. BOUNCE")


@pytest.mark.fact("L4")
def test_how_to_check_the_permission_of_each_function() -> None:
    book = runbook(
        rules(
            entry("RUN_LAMBDA", name="A", function=ARN, synchronous=True, fallback="BOUNCE"),
            entry("RUN_LAMBDA", "x.test", name="B", function=ARN),
            entry("RUN_LAMBDA", "y.test", name="C", function=FUNCTION_OUTPUT),
        ),
        organization_arn=ORGANIZATION_ARN,
        stacks=("Mail",),
    )
    check = section(book, "To check the permission")
    for line in (
        "For `B`, `A`:",
        f"aws lambda get-policy --function-name {ARN} --region us-east-1 --query Policy --output text",
        "For `C`, with the ARN of each function in place of ARN:",
        "| Principal, Service | `workmail.us-east-1.amazonaws.com` |",
        "| Action | `lambda:InvokeFunction` |",
        f"| Condition, AWS:SourceArn | `{ORGANIZATION_ARN}` |",
        "- `A`: the mail gets the fallback action Bounce after 30 minutes of retries.",
        "- `B`: no function runs for the mail, which is delivered as usual.",
    ):
        assert f"{line}\n" in check
    assert "REGION" not in check
    assert "`ResourceNotFoundException`, have `Mail` deployed again." in check
    assert "To check the permission" not in runbook(rules(entry("DROP")))


@pytest.mark.fact("L8")
def test_the_source_arn_of_an_organization_by_alias_comes_with_the_command_for_its_id() -> None:
    book = runbook(
        rules(entry("RUN_LAMBDA", function=ARN)), organization_id="acme", organization_alias="acme", stacks=("Mail",)
    )
    assert "| `arn:aws:workmail:us-east-1:123456789012:organization/ORGANIZATION_ID` |" in book
    assert (
        "aws workmail list-organizations --region us-east-1 "
        "--query \"OrganizationSummaries[?Alias=='acme'].OrganizationId\" --output text\n"
    ) in book


@pytest.mark.fact("F11")
def test_exceptions_come_first_and_what_loses_mail_last() -> None:
    rule_set = rules(
        entry("DROP"),
        entry("BOUNCE", "x.test"),
        entry("RUN_LAMBDA", name="broad", function=ARN),
        entry("RUN_LAMBDA", "y.test", name="narrow", function=ARN),
        entry("MOVE_TO_JUNK", "z.test"),
        entry("DEFAULT", "good.x.test"),
    )
    order = [rule.name for rule in creation_order(rule_set)]
    assert order == ["DEFAULT", "MOVE_TO_JUNK", "narrow", "broad", "BOUNCE", "DROP"]
    removal = runbook(rule_set).partition("## To remove the rules")[2]
    places = [removal.index(f"`{name}`") for name in order]
    assert places == sorted(places, reverse=True)


def asked(rule_set: RuleSet, name: str, *domains: str) -> tuple[str, str, str]:
    """The sender and the recipient that a rule is to be tested with, and what the console is to show."""
    (rule,) = [rule for rule in rule_set if rule.name == name]
    test = console_test(rule_set, rule, domains)
    shown = test.action.value if test.decides is rule else f"{test.action} of {test.decides and test.decides.name}"
    return test.sender, test.recipient, shown


@pytest.mark.fact("F14")
def test_inbound_mail_is_tested_from_outside_to_inside_and_outbound_mail_the_other_way() -> None:
    rule_set = rules(entry("DROP"), entry("BOUNCE", direction="outbound"))
    assert asked(rule_set, "DROP", "own.test") == ("someone@example.net", "someone@own.test", "DROP")
    assert asked(rule_set, "BOUNCE", "own.test") == ("someone@own.test", "someone@example.net", "BOUNCE")
    own = ("example.net", "Example.ORG")
    assert asked(rule_set, "DROP", *own) == ("someone@example.com", "someone@example.net", "DROP")
    book = runbook(rule_set, domains=("own.test",))
    assert "**Test** from `someone@example.net` to `someone@own.test` shows **Drop**.\n" in book
    assert "In place of" not in book


@pytest.mark.fact("F14")
def test_the_addresses_are_such_that_the_rule_decides() -> None:
    rule_set = rules(
        entry("DROP"),
        entry("DEFAULT", "example.net", name="net"),
        entry("MOVE_TO_JUNK", "*", "one.test", name="one"),
        entry("BYPASS_SPAM_CHECK", "*.example.org *.x.test", "*.two.test", name="two"),
    )
    own = ("one.test", "mail.two.test")
    assert asked(rule_set, "DROP", *own) == ("someone@example.com", "someone@mail.two.test", "DROP")
    assert asked(rule_set, "net", *own)[0] == "someone@example.net"
    assert asked(rule_set, "one", *own)[1:] == ("someone@one.test", "MOVE_TO_JUNK")
    assert asked(rule_set, "two", *own) == ("someone@example.org", "someone@mail.two.test", "BYPASS_SPAM_CHECK")


@pytest.mark.fact("F10", "F14")
def test_a_rule_that_never_decides_is_tested_with_the_one_that_does() -> None:
    book = runbook(rules(entry("DROP", "x.test"), entry("DEFAULT", "x.test")), domains=("own.test",))
    assert "**Test** from `someone@x.test` to `someone@own.test` shows **Drop**, of rule `DROP`.\n" in book


def test_without_known_domains_a_placeholder_says_so() -> None:
    book = runbook(rules(entry("DROP", "x.test")), domains=("${Domain}",))
    assert (
        "**Test** from `someone@x.test` to `someone@your-domain.example` shows **Drop**. "
        "In place of `your-domain.example`, type a domain of the organization: none is declared.\n"
    ) in book
    assert "your-domain" not in runbook(rules(entry("DROP", "x.test", "me@own.test")))
