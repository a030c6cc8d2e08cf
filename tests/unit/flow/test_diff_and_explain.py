"""Two rule sets compared by who is affected, and one drawn for people."""

from __future__ import annotations

from tests.unit.flow.rule_files import entry, rules
from workmail_flow.diff import diff
from workmail_flow.explain import explain


def test_renaming_splitting_and_reordering_affect_nobody() -> None:
    before = rules(entry("DROP", "x.test y.test"), entry("DEFAULT", "z.test"))
    after = rules(entry("DROP", "Y.test", name="b"), entry("DROP", "x.test", name="a"))
    assert diff(before, after) == ()


def test_a_change_names_who_is_affected_and_how() -> None:
    before = rules(entry("DROP", "*.x.test"), entry("DEFAULT", "good.x.test"))
    after = rules(entry("DROP", "*.x.test"))
    assert [str(change) for change in diff(before, after)] == [
        "inbound mail from good.x.test to *: DEFAULT (rule 'DEFAULT') → DROP (rule 'DROP')"
    ]


def test_another_function_or_fallback_is_a_change() -> None:
    before, after = (
        rules(entry("RUN_LAMBDA", direction="outbound", function="one", synchronous=True, fallback=fallback))
        for fallback in ("DEFAULT", "BOUNCE")
    )
    (change,) = diff(before, after)
    assert "fallback DEFAULT, rule timeout 30 min] (rule 'RUN_LAMBDA') → RUN_LAMBDA [one, synchronous" in str(change)


def test_explain_draws_and_tabulates_who_gets_what() -> None:
    drawn = explain(rules(entry("DROP", "*.x.test", name='No "spam"'), entry("DEFAULT", "*.X.test", name="dead")))
    assert 'rule0["No #quot;spam#quot;"]' in drawn
    assert 'mail -->|"from *.x.test<br/>to *"| rule0' in drawn
    assert '| `*.x.test` | `*` | No "spam" | Drop |' in drawn
    assert "| `*` | `*` | none | Default (no rule matches) |" in drawn
    assert "These rules never decide: dead." in drawn
