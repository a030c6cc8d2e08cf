"""`BlockAttachments` in a rule: what it packs and grants, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Size

from tests.constructs.stacks import new_stack, rights_of, warnings_of
from tests.constructs.steps.installed_wheel import offer_installed
from tests.constructs.steps.rules import configuration_of, new_rule_of, packed_code
from workmail_constructs import FallbackAction, FlowDirection, Run
from workmail_constructs.steps.block_attachments import PROGRAMS, BlockAttachments, ReplaceByNote
from workmail_constructs.steps.decision import Bounce, Deliver, Drop, Junk
from workmail_constructs.steps.filter_by_header import FilterByHeader
from workmail_constructs.steps.step import OnFailure

if TYPE_CHECKING:
    from pathlib import Path

BOUNCE = {"action": "BOUNCE", "text": "No programs."}


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer_installed("puremagic", tmp_path / "wheels", monkeypatch)


def test_what_is_blocked_is_compared_in_lower_case() -> None:
    step = BlockAttachments(
        extensions=[".EXE", ".js", ".exe"], types=["Video/*"], max_size=Size.mebibytes(1), then=Bounce("No programs.")
    )
    assert configuration_of(new_stack(), step) == {
        "extensions": [".exe", ".js"],
        "types": ["video/*"],
        "max_bytes": 1024 * 1024,
        "then": BOUNCE,
        "note": None,
        "unreadable": BOUNCE,
        "otherwise": None,
    }
    assert (step.on_failure, step.guards) == (OnFailure.FAIL, True)


def test_what_cannot_be_looked_into_can_go_on_as_it_is() -> None:
    step = BlockAttachments(extensions=[".exe"], then=Drop(), unreadable=Deliver())
    configuration = configuration_of(new_stack(), step)
    assert (configuration["then"], configuration["unreadable"]) == ({"action": "DROP"}, None)


def test_a_note_needs_an_update_and_a_decision_only_to_read() -> None:
    stack = new_stack()
    then = ReplaceByNote("A program was removed.", otherwise=Bounce("No programs."))
    configuration = configuration_of(stack, BlockAttachments(extensions=[".exe"], then=then))
    assert configuration["note"] == {"filename": "removed.txt", "text": "A program was removed."}
    assert (configuration["then"], configuration["unreadable"], configuration["otherwise"]) == (None, BOUNCE, BOUNCE)
    assert any("workmailmessageflow:PutRawMessageContent" in each["Action"] for each in rights_of(stack))
    reading = new_stack()
    new_rule_of(reading, BlockAttachments(extensions=[".exe"], then=Drop()))
    (read,) = rights_of(reading)
    assert read["Action"] == "workmailmessageflow:GetRawMessageContent"


def test_the_library_is_packed_for_rules_with_the_step_only() -> None:
    stack, other = new_stack(), new_stack()
    new_rule_of(stack, BlockAttachments(extensions=[".exe"], then=Drop()))
    new_rule_of(other, FilterByHeader("X-Spam", "YES"))
    assert (packed_code(stack) / "puremagic" / "magic_data.json").is_file()
    assert (packed_code(stack) / "workmail_rules" / "zip_files.py").is_file()
    assert not (packed_code(other) / "puremagic").exists()
    assert not (packed_code(other) / "workmail_rules" / "zip_files.py").exists()


def test_programs_are_those_that_ses_does_not_send_and_containers_of_them() -> None:
    assert {".exe", ".js", ".lnk", ".vbs", ".iso", ".jar"} <= set(PROGRAMS)
    assert len(PROGRAMS) == len(set(PROGRAMS))


@pytest.mark.fact("T2")
def test_synth_warns_of_a_fallback_that_delivers_what_was_not_looked_into() -> None:
    stack = new_stack()
    run = Run.synchronous(fallback=FallbackAction.DEFAULT)
    new_rule_of(stack, BlockAttachments(extensions=[".exe"], then=Drop()), run=run)
    assert [text for _, text in warnings_of(stack) if "the fallback DEFAULT with BlockAttachments" in text]


@pytest.mark.fact("R2", "R10")
def test_it_decides_and_outbound_mail_has_no_junk_folder() -> None:
    with pytest.raises(ValueError, match="found BlockAttachments with an action that outbound mail does not have"):
        new_rule_of(new_stack(), BlockAttachments(extensions=[".exe"], then=Junk()), direction=FlowDirection.OUTBOUND)
    with pytest.raises(ValueError, match="found BlockAttachments, which decides about delivery"):
        new_rule_of(new_stack(), BlockAttachments(extensions=[".exe"], then=Drop()), run=Run.asynchronous())


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, "^extensions, types, max_size: found none of them"),
        ({"extensions": ["exe"]}, "^extensions: found 'exe'; an extension begins with a dot"),
        ({"extensions": [".e/x"], "types": ["pdf"]}, "^extensions: found '.e/x'.*\ntypes: found 'pdf'; a media type"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        BlockAttachments(then=Drop(), **arguments)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"extensions": ".exe"}, r"^extensions: found the string '\.exe'; give a list"),
        ({"extensions": [".exe"], "then": None}, "^then: found None; give a decision or ReplaceByNote"),
        ({"extensions": [".exe"], "then": "DROP"}, "^then: found 'DROP'; give Bounce"),
    ],
)
def test_what_is_of_another_type_is_refused(arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(TypeError, match=error):
        BlockAttachments(**{"then": Drop(), **arguments})


@pytest.mark.parametrize(("text", "filename"), [(" ", "a.txt"), ("Removed.", ""), ("Removed.", "a/b.txt")])
def test_a_note_has_a_text_and_a_name(text: str, filename: str) -> None:
    with pytest.raises(ValueError, match=r"^ReplaceByNote: found "):
        ReplaceByNote(text, filename=filename)
