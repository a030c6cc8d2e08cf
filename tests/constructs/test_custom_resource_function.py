"""The functions behind our custom resources: what a template carries is what is tested, and it runs by itself."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.constructs.stacks import new_stack, only
from workmail_constructs import EmailEventLogging, WorkMailOrganization
from workmail_custom_resources import custom_resource

if TYPE_CHECKING:
    from aws_cdk import Stack

ORGANIZATION_ID = "m-0123456789abcdef0123456789abcdef"
FOLDER = Path(custom_resource.__file__).parent
HANDLERS = sorted(file.stem for file in FOLDER.glob("[a-z]*.py") if file.stem != "custom_resource")


def _lookup(stack: Stack) -> None:
    WorkMailOrganization.from_alias(stack, "Organization", "acme")


def _event_logging(stack: Stack) -> None:
    organization = WorkMailOrganization.from_organization_id(stack, "Organization", ORGANIZATION_ID)
    EmailEventLogging(stack, "Events", organization=organization)


BUILD = {"organization_lookup": _lookup, "email_event_logging": _event_logging}


def function_of(handler: str) -> dict[str, Any]:
    stack = new_stack()
    BUILD[handler](stack)
    return only(stack, "AWS::Lambda::Function")


def text_of(handler: str) -> str:
    text = function_of(handler)["Code"]["ZipFile"]
    assert isinstance(text, str)
    return text


def test_every_handler_is_tried() -> None:
    assert sorted(BUILD) == HANDLERS


@pytest.mark.parametrize("handler", HANDLERS)
def test_the_template_carries_what_is_shared_and_then_the_handler(handler: str) -> None:
    carried = ast.dump(ast.parse(text_of(handler)))
    for name in ("custom_resource", handler):
        for node in ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ImportFrom):
                assert ast.dump(node) in carried


@pytest.mark.parametrize("handler", HANDLERS)
def test_the_code_needs_no_other_file_of_ours(handler: str) -> None:
    nodes = list(ast.walk(ast.parse(text_of(handler))))
    names = {each.name for node in nodes if isinstance(node, ast.Import) for each in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}

    assert {name.partition(".")[0] for name in names} - sys.stdlib_module_names == {"boto3", "botocore"}


@pytest.mark.parametrize("handler", HANDLERS)
def test_the_two_files_define_no_name_twice(handler: str) -> None:
    defined: list[str] = []
    for node in ast.parse(text_of(handler)).body:
        if isinstance(node, ast.FunctionDef):
            defined.append(node.name)
        elif isinstance(node, ast.Assign):
            defined += [target.id for target in node.targets if isinstance(target, ast.Name)]
    defined = [name for name in defined if name != "TYPE_CHECKING"]

    assert len(defined) > 10
    assert sorted(set(defined)) == sorted(defined)


@pytest.mark.parametrize("handler", HANDLERS)
def test_the_code_runs_as_one_file(handler: str) -> None:
    names: dict[str, Any] = {"__name__": "index"}
    exec(compile(text_of(handler), "index.py", "exec"), names)  # noqa: S102 - our own code

    assert callable(names["handler"])


@pytest.mark.parametrize(("handler", "at_least"), [("organization_lookup", 30), ("email_event_logging", 90)])
def test_there_is_time_to_work_and_to_answer(handler: str, at_least: int) -> None:
    function = function_of(handler)

    assert (function["Handler"], function["Runtime"], function["Architectures"]) == (
        "index.handler",
        "python3.13",
        ["arm64"],
    )
    assert function["Timeout"] - custom_resource.KEPT_FOR_THE_ANSWER >= at_least
    attempts = len(custom_resource.ANSWER_PAUSES) * 2 * custom_resource.LONGEST_WAIT
    assert attempts + sum(custom_resource.ANSWER_PAUSES) <= custom_resource.KEPT_FOR_THE_ANSWER
    assert "Environment" not in function
