"""`Banner`, `Footer` and `SubjectPrefix` in an app: what they hand over, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Fn

from tests.constructs.stacks import new_rule, new_stack, only, rights_of
from workmail_constructs import ContentAccess, WorkMailOrganization
from workmail_constructs.steps.banner import Banner
from workmail_constructs.steps.footer import Footer
from workmail_constructs.steps.subject_prefix import MAX_PREFIX, SubjectPrefix
from workmail_flow.placeholders import PLACEHOLDERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from workmail_constructs.steps.step import Step

PAGES = Path(__file__).parents[3] / "docs" / "steps"


def _configuration(step: Step) -> dict[str, Any]:
    return dict(step.bind(None))  # type: ignore[arg-type] - a step that makes nothing asks its binding for nothing


def test_the_texts_are_handed_over() -> None:
    assert _configuration(Banner("Care")) == {"text": "Care", "html": None}
    assert _configuration(Banner(html="<b>Care</b>")) == {"text": None, "html": "<b>Care</b>"}
    assert _configuration(Footer("Ltd", repeat=True)) == {"text": "Ltd", "html": None, "repeat": True}
    assert _configuration(SubjectPrefix("[{sender_domain}]")) == {"prefix": "[{sender_domain}]"}


@pytest.mark.fact("C3")
def test_they_edit_and_need_no_other_right() -> None:
    stack = new_stack()
    new_rule(stack, code=None, steps=[SubjectPrefix("[EXT]"), Banner("Care"), Footer("Ltd")])
    actions = [action for statement in rights_of(stack) for action in _listed(statement["Action"])]
    assert sorted(actions) == [
        "s3:PutObject",
        "workmailmessageflow:GetRawMessageContent",
        "workmailmessageflow:PutRawMessageContent",
    ]
    assert {step.content_access for step in (SubjectPrefix("[EXT]"), Banner("Care"), Footer("Ltd"))} == {
        ContentAccess.UPDATE
    }


def test_a_text_from_the_deployment_is_in_the_environment() -> None:
    stack = new_stack()
    new_rule(stack, code=None, steps=[Banner(Fn.import_value("Banner"))])
    environment = only(stack, "AWS::Lambda::Function")["Environment"]["Variables"]
    assert environment["WORKMAIL_STEP_VALUE_0"] == {"Fn::ImportValue": "Banner"}


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (Banner, "Banner: found neither text nor html; give at least one"),
        (lambda: Footer(" \n"), "Footer: text: found an empty text; give the text to show"),
        (
            lambda: Banner("By {sneder}, {Sender}, { sender }"),
            "Banner: text: found the placeholder {sneder}; allowed are {sender}, {sender_domain}, {subject}, {date}",
        ),
        (lambda: Banner(html="<br>"), "html: found nothing to show; give markup with text"),
        (lambda: Banner(html='<a href="mailto:{sender}">x</a>'), "html: found {sender} inside a tag, comment, script"),
        (lambda: Banner(html="x<style>{subject}</style>"), "html: found {subject} inside a tag"),
        (lambda: Banner(html="x<!-- {subject} -->"), "html: found {subject} inside a tag"),
        (lambda: Banner(html="x<![CDATA[{subject}]]>"), "html: found {subject} inside a tag"),
        (lambda: Footer(html="<div><b>Care</div>"), "html: found </div>, <div>, <b> without its other half"),
        (lambda: Footer(html="Care</p>"), "html: found </p> without its other half; close each element"),
        (lambda: SubjectPrefix(""), "SubjectPrefix: prefix: found an empty text"),
        (lambda: SubjectPrefix("x" * 31), f"prefix: found 31 characters; at most {MAX_PREFIX} are allowed"),
        (lambda: SubjectPrefix("[EXT]\n"), "prefix: found a line end or a control character; give one line of text"),
        (lambda: SubjectPrefix("[{date}]"), "found the placeholder {date}; allowed are {sender_domain}"),
    ],
)
def test_what_cannot_be_shown_is_refused(step: Callable[[], Step], says: str) -> None:
    with pytest.raises(ValueError) as raised:
        step()
    assert says in str(raised.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ValueError) as raised:
        Banner("{a}", html="<p>{b}")
    assert str(raised.value).count("found") == 3


@pytest.mark.parametrize(
    "html",
    [
        "<style>p { color: red }</style><p>Care</p>",
        '<img src="https://example.com/logo.png" alt="Example">',
        "<p>Care<br/>for {sender}</p><hr>",
        "<P>Care</p>",
        "1 < 2",
    ],
)
def test_whole_markup_is_taken(html: str) -> None:
    assert _configuration(Banner(html=html))["html"] == html


def test_the_page_lists_the_placeholders() -> None:
    page = (PAGES / "banner.md").read_text(encoding="utf-8")
    assert [line.split("`")[1] for line in page.splitlines() if line.startswith("| `{")] == [
        f"{{{name}}}" for name in PLACEHOLDERS
    ]


@pytest.mark.parametrize(
    ("name", "direction"), [("banner", "INBOUND"), ("footer", "OUTBOUND"), ("subject_prefix", "INBOUND")]
)
def test_the_example_of_the_page_synthesizes(name: str, direction: str) -> None:
    example = (PAGES / f"{name}.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    stack = new_stack()
    organization = WorkMailOrganization.from_organization_id(stack, "Org", "m-" + "0" * 32, domains=["example.com"])
    names: dict[str, Any] = {}
    exec(example, names)  # noqa: S102 - our own page
    new_rule(stack, code=None, organization=organization, direction=direction, steps=names["steps"])
    only(stack, "AWS::Lambda::Function")


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
