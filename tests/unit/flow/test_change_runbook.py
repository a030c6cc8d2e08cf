"""What an administrator reads to change typed rules: fields, order, deployment, warnings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.flow.rule_files import entry, rules
from workmail_flow.change_runbook import change_runbook, rule_changes
from workmail_flow.template import DeclaredRules

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
OUTPUT = "the output FnArn of stack Mail"


def declared(*entries: dict[str, Any], **functions: str) -> DeclaredRules:
    """The rules of one organization; `functions` gives each rule's function in words, by the rule's name."""
    return DeclaredRules(
        organization_id="m-x",
        organization_arn="arn:aws:workmail:us-east-1:123456789012:organization/m-x",
        domains=("own.test",),
        rules=rules(*entries),
        stacks=("Mail",),
        functions={str(each["function"]): functions[each["name"]] for each in entries if each["name"] in functions},
    )


def book(before: DeclaredRules, after: DeclaredRules) -> str:
    return change_runbook(rule_changes(before, after))


def function(name: str, where: str, **more: Any) -> dict[str, Any]:
    return entry("RUN_LAMBDA", name=name, function=where, **more)


def test_nothing_to_change_is_said() -> None:
    text = book(declared(entry("DROP")), declared(entry("DROP")))
    assert text.startswith(
        "# Changes to the email flow rules of organization `m-x`\n\n| where | |\n|---|---|\n| Region |"
    )
    assert text.endswith("Nothing to change: the rules are typed as they are declared.\n\n")


def test_rules_of_stacks_that_the_old_side_does_not_have_are_said_to_be_taken_as_new() -> None:
    old, new = declared(), replace(declared(entry("DROP")), stacks=("Mail", "Other"))
    line = "The old rules are those of `Mail`. So the rules of `Other` are taken as new: if they are typed\n"
    assert line in book(old, new)
    assert "The old rules are those" not in book(replace(old, stacks=()), new)
    assert "The old rules are those" not in book(replace(old, stacks=("Mail", "Other", "Gone")), new)


@pytest.mark.fact("F13")
def test_each_field_to_edit_has_its_old_and_its_new_value() -> None:
    old = function("Notice", ARN + "one", synchronous=True, ruleTimeoutMinutes=10)
    new = function("Notice", ARN + "one", synchronous=True, fallback="BOUNCE", senders="x.test y.test")
    text = book(declared(old), declared(new))
    step = text.partition("## 1. Edit Notice\n")[2].partition("\n## ")[0]
    assert (
        "**Inbound rules** → `Notice` → **Edit**. Change these fields, then save once:\n\n"
        "| field | typed now | type instead |\n"
        "|---|---|---|\n"
        "| Fallback action | **Default** | **Bounce** |\n"
        "| Rule timeout (minutes) | **10** | **30** |\n"
        "| Sender domains or addresses | remove `*` | add `x.test`, `y.test` |\n\n"
        "Once all steps are done, **Test** from `someone@x.test` to `someone@own.test` shows **Run Lambda**.\n"
    ) in step
    assert "Lambda function |" not in step


def test_another_action_empties_the_fields_that_it_does_not_have() -> None:
    text = book(declared(function("Spam", ARN + "one")), declared(entry("DROP", name="Spam")))
    for line in (
        "| Action | **Run Lambda** | **Drop** |",
        f"| Lambda function | `{ARN}one` | (empty) |",
        "| Run synchronously | **no** | (empty) |",
    ):
        assert f"{line}\n" in text


def test_the_steps_are_listed_first_and_done_in_that_order() -> None:
    text = book(declared(entry("DROP", name="Old")), declared(entry("DROP", name="New")))
    assert "\n1. Create `New` (Inbound rules)\n2. Delete `Old` (Inbound rules)\n" in text
    assert text.index("## 1. Create New") < text.index("## 2. Delete Old")
    assert "`New` has taken its place: no source says that a rule can be renamed." in text
    assert "It is not declared any more." in book(declared(entry("DROP")), declared())


def test_an_arn_is_typed_after_the_deployment_that_decides_it() -> None:
    before = declared(
        function("Notice", ARN + "one"), entry("DROP", direction="outbound"), Notice="function F of stack Mail"
    )
    after = declared(function("Notice", OUTPUT), Notice="function G of stack Mail")
    text = book(before, after)
    places = [
        text.index(words)
        for words in (
            "## Rules that need another function ARN",
            "## 1. Delete DROP",
            "## Now the deployment\n\nHave `Mail` deployed, then go on without a pause.",
            "## 2. Edit Notice",
            f"| Lambda function | `{ARN}one` | the ARN found in {OUTPUT} |",
            "aws cloudformation describe-stacks --stack-name Mail --region us-east-1 --query",
            "## To check the permission",
        )
    ]
    assert places == sorted(places)


def test_a_rule_whose_function_goes_is_deleted_before_the_deployment() -> None:
    before = declared(function("Notice", ARN + "one"), Notice="function F of stack Mail")
    text = book(before, declared())
    assert text.index("## 1. Delete Notice") < text.index("## Now the deployment")


def test_a_function_that_stays_is_no_change_and_one_that_nobody_can_compare_is_named() -> None:
    words = "function F of stack Mail"
    before = declared(function("Notice", ARN + "one"), Notice=words)
    assert "Nothing to change" in book(before, declared(function("Notice", OUTPUT), Notice=words))
    rule_file = declared(function("Notice", ARN + "one"))
    text = book(rule_file, declared(function("Notice", OUTPUT), Notice=words))
    assert "Nothing to change" in text
    assert "## To compare yourself\n\nOne side knows only where to find the ARN of these functions. " in text
    assert f"- Inbound rules: `Notice`: the ARN found in {OUTPUT}\n" in text


def test_a_step_that_no_order_makes_safe_says_which_mail_gets_what_and_until_when() -> None:
    old = declared(entry("DROP", "a.test"), entry("BOUNCE", "b.test"))
    new = declared(entry("DROP", "b.test"), entry("BOUNCE", "a.test"))
    text = book(old, new)
    assert "1. Edit `BOUNCE` (Inbound rules), **see its warning**\n2. Edit `DROP` (Inbound rules)\n" in text
    warning = "inbound mail from b.test to \\* gets DEFAULT (no rule) until step 2"
    assert (
        f"## 1. Edit BOUNCE\n\n**Warning.** The order of the steps does not avoid this:\n\n- {warning}\n\n- What for"
    ) in text
    assert text.count("**Warning.**") == 1
