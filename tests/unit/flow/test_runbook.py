"""The runbook: every field an administrator types, in an order that loses no mail."""

from __future__ import annotations

import pytest

from tests.unit.flow.rule_files import entry, rules
from workmail_flow.runbook import creation_order, runbook

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"


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
        organization_id="m-0123456789abcdef0123456789abcdef",
    )
    for line in (
        "# Email flow rules of organization `m-0123456789abcdef0123456789abcdef`",
        "Organizations → the organization → Organization settings → **Outbound rules** → **Create**.",
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
    assert "WorkMail ends on 2027-03-31" in runbook(rules(), organization_id="m-x")


def test_where_to_find_an_arn_that_is_not_known() -> None:
    known = runbook(rules(entry("RUN_LAMBDA", function="the output FnArn of stack Mail")), organization_id="m-x")
    assert "| Lambda function | the ARN found in the output FnArn of stack Mail |" in known
    unknown = runbook(rules(entry("RUN_LAMBDA")), organization_id="m-x")
    assert "among the outputs of its stack once that is deployed" in unknown
    assert "First deploy the function's stack; only then" in unknown


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
    removal = runbook(rule_set, organization_id="m-x").partition("## To remove the rules")[2]
    places = [removal.index(f"`{name}`") for name in order]
    assert places == sorted(places, reverse=True)


@pytest.mark.fact("F14")
def test_each_rule_is_to_be_tested_with_a_pair_of_addresses() -> None:
    book = runbook(rules(entry("DROP", "x.test", "me@own.test")), organization_id="m-x")
    assert "**Test** with `someone@x.test` and `me@own.test` shows **Drop**." in book
