"""The examples on the pages of the steps that filter are right, and their tables list every argument."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_cdk
import pytest
from aws_cdk import aws_kms, aws_s3

from tests.constructs.stacks import errors_of, new_stack, warnings_of
from tests.constructs.steps.installed_wheel import offer_installed
from tests.constructs.steps.rules import new_rule_of
from workmail_constructs.steps import allow_or_block, block_attachments, decision, filter_by_header, save_message
from workmail_rules import filter_by_header as running_filter
from workmail_rules import zip_files

if TYPE_CHECKING:
    from workmail_constructs.steps.step import Step

DOCS = Path(__file__).parents[3] / "docs" / "steps"
STEPS: dict[str, type[Step]] = {
    "allow_or_block": allow_or_block.AllowOrBlock,
    "block_attachments": block_attachments.BlockAttachments,
    "filter_by_header": filter_by_header.FilterByHeader,
    "save_message": save_message.SaveMessage,
}


@pytest.mark.parametrize("name", STEPS)
def test_the_example_synthesizes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer_installed("puremagic", tmp_path / "wheels", monkeypatch)
    stack = new_stack()
    names: dict[str, Any] = {"stack": stack}
    for module in (
        aws_cdk,
        aws_kms,
        aws_s3,
        decision,
        allow_or_block,
        block_attachments,
        filter_by_header,
        save_message,
    ):
        names |= {each: getattr(module, each) for each in dir(module) if each[0].isupper()}
    example = (DOCS / f"{name}.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    exec(example, names)  # noqa: S102 - our own page
    new_rule_of(stack, *names["steps"])

    assert (errors_of(stack), warnings_of(stack)) == ([], [])
    assert {type(step) for step in names["steps"]} == {STEPS[name]}


@pytest.mark.parametrize("name", STEPS)
def test_the_table_lists_every_argument(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)
    listed = [argument for row in rows for argument in re.findall(r"`(\w+)`", row)]
    assert listed == [each for each in inspect.signature(STEPS[name]).parameters if each != "options"]


@pytest.mark.parametrize("name", STEPS)
def test_each_page_says_what_a_hostile_sender_can_do_and_what_a_failure_does(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    for heading in ("What it needs.", "When it fails,", "What a sender can do."):
        assert f"\n**{heading}**" in page


def test_the_pages_name_the_limits_that_hold() -> None:
    lists = (DOCS / "allow_or_block.md").read_text(encoding="utf-8")
    filters = (DOCS / "filter_by_header.md").read_text(encoding="utf-8")
    blocks = (DOCS / "block_attachments.md").read_text(encoding="utf-8")
    assert f"more than {running_filter.MAX_CHARACTERS:,} characters" in filters
    assert f"more than {zip_files.MAX_NAMES:,} names or {zip_files.MAX_INFLATED_BYTES // 2**20} MiB" in blocks
    assert f"{allow_or_block.MAX_PATTERNS:,} together at most" in lists
