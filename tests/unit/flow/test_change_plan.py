"""In which order typed rules are changed, and what is said where no order is safe."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.flow.rule_files import entry, rules
from workmail_flow.change_plan import When, plan_changes


def lambda_entry(name: str, senders: str = "*", function: str = "one", **more: Any) -> dict[str, Any]:
    return entry("RUN_LAMBDA", senders, name=name, function=function, **more)


def planned(old: list[dict[str, Any]], new: list[dict[str, Any]], **options: Any) -> list[str]:
    """The steps in words; one with a warning ends with an exclamation mark."""
    steps = plan_changes(rules(*old), rules(*new), **options)
    return [f"{step.kind} {step.rule.name}{'!' if step.exposures else ''}" for step in steps]


def test_equal_rules_need_no_step() -> None:
    old = entry("DROP", "x.test Y.test")
    assert planned([old], [entry("DROP", "y.test X.test", description="Spam", owner="Ann")]) == []


@pytest.mark.fact("F11")
def test_an_exception_is_created_before_its_rule_is_widened_and_deleted_after_it_is_narrowed() -> None:
    narrow, wide = entry("DROP", "x.test"), entry("DROP", "*.test")
    exception = entry("DEFAULT", "good.test")
    assert planned([narrow], [wide, exception]) == ["create DEFAULT", "edit DROP"]
    assert planned([wide, exception], [narrow]) == ["edit DROP", "delete DEFAULT"]


def test_a_narrow_rule_is_created_before_the_function_that_would_get_its_mail() -> None:
    new = [lambda_entry("Broad"), entry("DROP", "x.test")]
    assert planned([], new) == ["create DROP", "create Broad"]


@pytest.mark.fact("F1")
def test_a_rule_with_another_name_is_created_before_the_old_one_is_deleted() -> None:
    assert planned([entry("DROP", name="Old")], [entry("DROP", name="New")]) == ["create New", "delete Old"]


@pytest.mark.fact("F1")
def test_a_name_is_free_before_the_other_direction_takes_it() -> None:
    old, new = entry("DROP", name="Spam"), entry("DROP", name="Spam", direction="outbound")
    assert planned([old], [new]) == ["delete Spam", "create Spam"]


def test_two_rules_that_swap_their_mail_expose_it_in_any_order() -> None:
    old = [entry("DROP", "a.test"), entry("BOUNCE", "b.test")]
    new = [entry("DROP", "b.test"), entry("BOUNCE", "a.test")]
    steps = plan_changes(rules(*old), rules(*new))
    assert [(step.rule.name, len(step.exposures)) for step in steps] == [("BOUNCE", 1), ("DROP", 0)]
    (exposure,) = steps[0].exposures
    assert (exposure.senders[0].text, exposure.rule, exposure.until) == ("b.test", None, 2)


def test_the_least_harmful_step_comes_first_where_none_is_safe() -> None:
    old = [entry("DROP", "x.test c.test", name="One"), entry("DEFAULT", "a@x.test", name="Two")]
    new = [entry("BOUNCE", "x.test", name="One"), entry("MOVE_TO_JUNK", "c.test", name="Two")]
    # To edit Two first would drop the mail from a@x.test; now that from c.test is delivered for a while.
    assert planned(old, new) == ["edit One!", "edit Two"]


def test_what_needs_the_deployment_waits_for_it_and_what_it_breaks_comes_before() -> None:
    old = [lambda_entry("Gone", "a.test"), lambda_entry("Kept", "b.test"), entry("DROP", "c.test")]
    new = [lambda_entry("Kept", "b.test", "two"), entry("DROP", "d.test")]
    steps = plan_changes(rules(*old), rules(*new), not_yet={"two"}, not_any_more={"one"})
    assert [(step.rule.name, step.when) for step in steps] == [
        ("Gone", When.BEFORE_DEPLOYMENT),
        ("DROP", When.ANY_TIME),
        ("Kept", When.AFTER_DEPLOYMENT),
    ]


def test_it_is_quick_for_the_most_patterns_that_an_organization_may_have() -> None:
    def many(prefix: str) -> list[dict[str, Any]]:
        return [
            entry("DROP", " ".join(f"{prefix}{rule}-{n}.test" for n in range(20)), name=f"r{rule}")
            for rule in range(50)
        ]

    assert len(planned(many("old"), many("new"))) == 50
