"""Which typed function ARNs a deployment changes, and what an administrator reads of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.flow.rule_files import entry, rules
from workmail_flow.change_runbook import change_runbook, rule_changes
from workmail_flow.function_change import function_changes, with_functions_of
from workmail_flow.template import DeclaredRules

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
OUTPUT = "the output DisclaimerArn of stack Mail"


def declared(*entries: dict[str, Any], **functions: str) -> DeclaredRules:
    """What templates declare; `functions` gives each entry's function in words, by the name of the rule."""
    by_arn = {str(each["function"]): functions[each["name"]] for each in entries if each["name"] in functions}
    return DeclaredRules(
        organization_id="m-x", organization_arn="", domains=(), rules=rules(*entries), functions=by_arn
    )


def disclaimer(function: str, **more: Any) -> dict[str, Any]:
    return entry("RUN_LAMBDA", function=function, **{"name": "Disclaimer", "synchronous": True, **more})


def typed(before: DeclaredRules, after: DeclaredRules) -> list[tuple[str, str]]:
    """Each rule whose ARN is to be typed anew, and what is to be done."""
    return [(change.before.name, change.to_do) for change in function_changes(before, after)]


def test_another_known_arn_is_a_change() -> None:
    before, after = declared(disclaimer(ARN + "one")), declared(disclaimer(ARN + "two"))

    assert typed(before, after) == [("Disclaimer", f"right after the deployment, type {ARN}two")]
    assert typed(before, before) == []


def test_a_function_that_the_new_template_does_not_have_is_a_change() -> None:
    before = declared(disclaimer(ARN + "Mail-F-1"), Disclaimer="function F of stack Mail")

    moved = declared(disclaimer(OUTPUT), Disclaimer="function InF of stack Mail")
    kept = declared(disclaimer("the output Other of stack Mail"), Disclaimer="function F of stack Mail")

    assert typed(before, moved) == [("Disclaimer", f"right after the deployment, type the ARN found in {OUTPUT}")]
    assert typed(before, kept) == []


def test_what_only_one_side_knows_is_no_change() -> None:
    rule_file = declared(disclaimer(ARN + "one"))
    app = declared(disclaimer(OUTPUT), Disclaimer="function F of stack Mail")

    assert typed(rule_file, app) == []
    assert typed(app, rule_file) == []


def test_a_renamed_rule_is_known_by_its_mail() -> None:
    before = declared(disclaimer(ARN + "one", senders="a.test"), Disclaimer="function F of stack Mail")
    new = disclaimer(OUTPUT, senders="a.test", name="Footer")

    assert typed(before, declared(new, Footer="function G of stack Mail")) == [
        ("Disclaimer", f"right after the deployment, type the ARN found in {OUTPUT}, and the name 'Footer'")
    ]


@pytest.mark.parametrize(
    ("new", "words"),
    [(disclaimer(OUTPUT, name="Other", senders="other.test"), "function G of stack Mail"), (entry("DROP"), "")],
)
def test_a_rule_that_is_not_declared_any_more_is_to_be_deleted_before_its_function_goes(
    new: dict[str, Any], words: str
) -> None:
    before = declared(disclaimer(ARN + "one"), Disclaimer="function F of stack Mail")
    (change,) = function_changes(before, declared(new, Other=words))

    assert change.to_do == "before the deployment, delete the rule or give it another action"


def test_a_function_that_another_rule_still_runs_stays() -> None:
    words = "function F of stack Mail"
    before = declared(disclaimer(ARN + "one"), Disclaimer=words)

    assert typed(before, declared(disclaimer(OUTPUT, name="Other", senders="o.test"), Other=words)) == []


@pytest.mark.fact("T2", "T3", "T4")
@pytest.mark.parametrize(
    ("options", "until_then"),
    [
        ({"fallback": "BOUNCE", "ruleTimeoutMinutes": 45}, "its mail gets the fallback action BOUNCE after 45 minutes"),
        ({"ruleTimeoutMinutes": 0}, "its mail gets the fallback action DEFAULT"),
        ({"synchronous": False}, "no function runs for its mail"),
    ],
)
def test_it_says_what_mail_gets_until_the_arn_is_typed(options: dict[str, Any], until_then: str) -> None:
    (change,) = function_changes(
        declared(disclaimer(ARN + "one", **options)), declared(disclaimer(ARN + "two", **options))
    )

    assert change.until_then == until_then


def test_the_way_out_names_the_function_where_a_template_does() -> None:
    in_files = function_changes(declared(disclaimer(ARN + "one")), declared(disclaimer(ARN + "two")))
    before = declared(disclaimer(ARN + "one"), Disclaimer="function F of stack Mail")
    in_apps = function_changes(before, declared(disclaimer(OUTPUT), Disclaimer="function G of stack Mail"))

    assert "to keep the ARN" not in str(in_files[0])
    assert "to keep the ARN: keep the construct path of function F of stack Mail" in str(in_apps[0])
    assert "override_logical_id" in str(in_apps[0])
    assert "function_name" in str(in_apps[0])


def test_a_synthesized_rule_gets_the_arn_of_the_function_it_keeps() -> None:
    before = declared(disclaimer(ARN + "one"), Disclaimer="function F of stack Mail")
    after = declared(
        disclaimer("the output A of stack Mail"),
        disclaimer("the output B of stack Mail", name="Other"),
        Disclaimer="function F of stack Mail",
        Other="function G of stack Mail",
    )

    assert [rule.function for rule in with_functions_of(before, after)] == [ARN + "one", "the output B of stack Mail"]


@pytest.mark.fact("F13")
def test_the_runbook_of_a_change_begins_with_the_rules_to_type_anew() -> None:
    before, after = declared(disclaimer(ARN + "one")), declared(disclaimer(ARN + "two"))

    book = change_runbook(rule_changes(before, after))

    assert book.index("## Rules that need another function ARN") < book.index("## 1. Edit Disclaimer")
    for line in (
        "- Inbound rules: `Disclaimer`",
        f"    - typed now: {ARN}one",
        f"    - to do: right after the deployment, type {ARN}two",
        "    - until then: its mail gets the fallback action DEFAULT after 30 minutes",
    ):
        assert f"{line}\n" in book
    assert "need another function" not in change_runbook(rule_changes(after, after))
