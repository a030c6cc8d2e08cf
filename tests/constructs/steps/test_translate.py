"""`Translate` in an app: what it hands over, what it grants, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Fn

from tests.constructs.stacks import REGION, new_rule, new_stack, only, rights_of
from workmail_constructs import WorkMailOrganization
from workmail_constructs.steps.translate import Place, Translate

PAGE = Path(__file__).parents[3] / "docs" / "steps" / "translate.md"


def test_it_may_call_the_service_in_the_region_of_the_stack_only() -> None:
    stack = new_stack()
    new_rule(stack, code=None, steps=[Translate("en")])
    (statement,) = [each for each in rights_of(stack) if "translate:TranslateText" in each["Action"]]
    assert statement == {
        "Effect": "Allow",
        "Action": ["comprehend:DetectDominantLanguage", "translate:TranslateText"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestedRegion": REGION}},
    }


@pytest.mark.parametrize("place", [Place.BELOW, "BELOW"])
def test_the_arguments_are_handed_over(place: Any) -> None:
    stack = new_stack()
    step = Translate("zh-TW", place=place, subject=False, max_bytes=1_000, heading="\u7ffb\u8b6f")
    binding: Any = _Binding(stack)
    assert step.bind(binding) == {
        "into": "zh-TW",
        "above": False,
        "subject": False,
        "max_bytes": 1_000,
        "heading": "\u7ffb\u8b6f",
    }


def test_the_language_may_be_a_parameter_of_the_deployment() -> None:
    stack = new_stack(env=None)
    new_rule(stack, code=None, steps=[Translate(Fn.import_value("Language"))])
    environment = only(stack, "AWS::Lambda::Function")["Environment"]["Variables"]
    assert environment["WORKMAIL_STEP_VALUE_0"] == {"Fn::ImportValue": "Language"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"into": "English"}, "Translate: into: found 'English'; give a code of Amazon Translate"),
        ({"into": "auto"}, "into: found 'auto'"),
        ({"max_bytes": 999}, "max_bytes: found 999; allowed are 1,000 to 100,000"),
        ({"max_bytes": 100_001}, "max_bytes: found 100,001; allowed are 1,000 to 100,000"),
        ({"heading": " "}, "heading: found an empty text; say that what follows is a translation"),
        ({"place": "BESIDE"}, "place: found 'BESIDE'"),
    ],
)
def test_what_is_not_allowed_is_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError) as raised:
        Translate(**{"into": "en", **arguments})
    assert says in str(raised.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ValueError) as raised:
        Translate("English", max_bytes=1, heading="")
    assert str(raised.value).count("found") == 3


def test_the_example_of_the_page_synthesizes() -> None:
    example = PAGE.read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 - our own page
    stack = new_stack()
    organization = WorkMailOrganization.from_organization_id(stack, "Org", "m-" + "0" * 32, domains=["example.com"])
    new_rule(stack, code=None, organization=organization, steps=names["steps"])
    assert only(stack, "AWS::Lambda::Function")["Runtime"] == "python3.13"


class _Binding:
    """What the step needs of its binding."""

    def __init__(self, stack: Any) -> None:
        self.rule = stack

    def grant(self, statements: Any) -> None:
        """Take the rights."""
