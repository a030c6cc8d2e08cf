"""The steps of a rule: what is refused, packed, granted and warned of."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import CfnParameter, Fn, SecretValue, Stack, Token
from aws_cdk.assertions import Template
from aws_cdk.aws_sns import Topic

from tests.constructs.stacks import new_stack, only, properties_of, rights_of, warnings_of
from tests.constructs.steps.samples import Guard, Listed, configuration, own_step_folder, packed, steps_rule
from workmail_constructs import FallbackAction, FlowDirection, Run
from workmail_constructs.steps.banner import Banner
from workmail_constructs.steps.decision import Bounce
from workmail_constructs.steps.own_step import OwnStep
from workmail_constructs.steps.step import OnFailure, Recipients, Senders

if TYPE_CHECKING:
    from pathlib import Path

ASYNCHRONOUS = Run.asynchronous()
FUNCTION = "AWS::Lambda::Function"


def modules_of(folder: Path) -> set[str]:
    """The modules of `workmail_rules` that are packed."""
    return {path.stem for path in (folder / "workmail_rules").glob("*.py")}


def test_a_rule_has_what_its_steps_need_and_nothing_else() -> None:
    stack = new_stack()
    steps_rule(stack, Banner("From outside."))
    actions = [each["Action"] for each in rights_of(stack)]
    assert properties_of(stack, "AWS::DynamoDB::Table") == []
    assert any("workmailmessageflow:PutRawMessageContent" in each for each in actions)
    plain = new_stack()
    steps_rule(plain, Listed(["a@example.com"]))
    assert (rights_of(plain), properties_of(plain, "AWS::S3::Bucket")) == ([], [])
    assert "Variables" not in only(plain, FUNCTION).get("Environment", {})


def test_the_packed_code_runs_and_has_only_the_modules_in_use() -> None:
    stack = new_stack()
    steps_rule(stack, Banner("From outside."))
    folder = packed(stack)
    assert {"run_steps", "message", "banner", "outcomes"} <= modules_of(folder)
    assert "secret" not in modules_of(folder)
    # Words such as "decision" in our own comments pack nothing.
    domain = {path.stem for path in (folder / "workmail_flow").glob("*.py")}
    assert domain.isdisjoint({"decision", "flow_rule", "rule_set", "template", "lint"})
    assert "judge_reply" in domain
    script = "import rule_steps; print(callable(rule_steps.handler))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True\n"


def test_the_hash_depends_on_the_configuration_and_on_nothing_else() -> None:
    stacks = [new_stack() for _ in range(3)]
    for stack, text in zip(stacks, ("One.", "One.", "Two."), strict=True):
        steps_rule(stack, Banner(text))
    one, again, other = (only(stack, FUNCTION)["Code"]["S3Key"] for stack in stacks)
    assert (one == again, one == other) == (True, False)


def test_ten_thousand_addresses_are_packed_in_the_file_and_not_in_the_environment() -> None:
    stack = new_stack()
    started = time.monotonic()
    addresses = [f"user{index}@example.com" for index in range(10_000)]
    steps_rule(stack, Listed(addresses), Banner("From outside.", senders=["partner@example.net"]))
    (listed, banner) = configuration(stack)["steps"]
    assert listed["configuration"]["addresses"]["addresses"] == addresses
    assert banner["condition"] == {"senders": {"addresses": ["partner@example.net"]}}
    assert "@" not in json.dumps(only(stack, FUNCTION)["Environment"])
    assert time.monotonic() - started < 10


def test_a_token_reaches_the_step_through_the_environment(tmp_path: Path) -> None:
    stack = new_stack()
    topic = Topic(stack, "Topic")
    values = {"topic": topic.topic_arn, "again": [topic.topic_arn], "plain": "x"}
    rule = steps_rule(stack, OwnStep(own_step_folder(tmp_path), configuration=values, decides=False))
    topic.grant_publish(rule)
    (step,) = configuration(stack)["steps"]
    variables = only(stack, FUNCTION)["Environment"]["Variables"]
    (name,) = (each for each in variables if each.startswith("WORKMAIL_STEP_VALUE"))
    reference = {"$environment": name}
    assert step["configuration"] == {"topic": reference, "again": [reference], "plain": "x"}
    assert variables[name] == stack.resolve(topic.topic_arn)


def test_the_value_of_a_secret_is_refused(tmp_path: Path) -> None:
    secret = SecretValue.secrets_manager("token").unsafe_unwrap()
    step = OwnStep(own_step_folder(tmp_path), configuration={"token": f"Bearer {secret}"})
    with pytest.raises(ValueError, match="found the value of a secret"):
        steps_rule(new_stack(), step)


def test_own_steps_and_ours_mix_in_any_order_with_their_requirements(tmp_path: Path) -> None:
    package = tmp_path / "package"
    (package / "told").mkdir(parents=True)
    (package / "told" / "__init__.py").write_text("WORD = 'told'\n")
    (package / "pyproject.toml").write_text(
        '[project]\nname = "told"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "backend"\n'
        'backend-path = ["."]\n'
    )
    (package / "backend.py").write_text(BACKEND)
    first = own_step_folder(tmp_path, "first", text="from told import WORD\ndef run(message): ...\n")
    (first / "requirements.txt").write_text(f"{package}\n")
    second = own_step_folder(tmp_path, "second")
    stack = new_stack()
    steps_rule(stack, OwnStep(first), Banner("Hello."), OwnStep(second), OwnStep(second, name="again"))
    folder = packed(stack)
    assert [each["name"] for each in configuration(stack)["steps"]] == ["first", "Banner", "second", "again"]
    assert {"first", "second", "told", "workmail_rules"} <= {path.name for path in folder.iterdir()}
    assert re.findall("from (.+) import", (folder / "rule_steps.py").read_text()) == [
        "workmail_rules.run_steps",
        "first.step",
        "workmail_rules.banner",
        "second.step",
        "second.step",
    ]


# The least that builds a wheel: the test needs no package from elsewhere.
BACKEND = """
import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "told-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.write("told/__init__.py")
        wheel.writestr("told-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: told\\nVersion: 1\\n")
        wheel.writestr("told-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("told-1.dist-info/RECORD", "")
    return name
"""


def test_a_table_is_made_once_for_the_steps_that_need_one(tmp_path: Path) -> None:
    stack = new_stack()
    folders = [own_step_folder(tmp_path, name) for name in ("one", "two")]
    steps_rule(stack, *(OwnStep(folder, once=True, decides=False) for folder in folders))
    table = only(stack, "AWS::DynamoDB::Table")
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    (statement,) = rights_of(stack)
    assert statement["Action"] == ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:UpdateItem"]
    (name,) = (Template.from_stack(stack).find_resources("AWS::DynamoDB::Table")).keys()
    assert statement["Resource"] == {"Fn::GetAtt": [name, "Arn"]}
    assert only(stack, FUNCTION)["Environment"]["Variables"]["WORKMAIL_STEPS_TABLE"] == {"Ref": name}


def test_a_step_is_left_out_of_rules_of_the_other_direction() -> None:
    stack = new_stack()
    steps_rule(stack, Banner("In.", direction="INBOUND"), Banner("Out.", direction="OUTBOUND", name="Out"))
    assert [each["name"] for each in configuration(stack)["steps"]] == ["Banner"]


def test_conditions_are_packed_for_whom_they_name() -> None:
    stack = new_stack()
    steps_rule(
        stack,
        Banner("a", name="a", senders=Senders.EXTERNAL),
        Banner("b", name="b", recipients=Recipients.INTERNAL),
        Banner("c", name="c", recipients=["*.example.com", "x@example.com"]),
        Banner("d", name="d", recipients=["*"]),
        domains=["EXAMPLE.com", "bücher.example"],
    )
    internal = {"domains": ["example.com", "xn--bcher-kva.example"]}
    assert [each["condition"] for each in configuration(stack)["steps"]] == [
        {"is_internal": False, "internal": internal},
        {"to_internal": True, "internal": internal},
        {"recipients": {"wildcards": ["example.com"], "addresses": ["x@example.com"]}},
        {},
    ]


@pytest.mark.parametrize(
    ("steps", "arguments", "problems"),
    [
        ([], {}, ["steps: found none for inbound mail"]),
        (["Banner"], {}, ["steps: found str; give instances of Step"]),
        ([Banner("a"), Banner("b")], {}, ["steps: found two with the name Banner; give each a name of its own, name="]),
        (
            [Banner("a", senders="EXTERNAL"), Banner("b", name="b", recipients="INTERNAL")],
            {"domains": []},
            ["Banner for EXTERNAL senders, and an organization without domains", "b for INTERNAL recipients"],
        ),
        (
            [Banner("a")],
            {"run": ASYNCHRONOUS, "content_access": "READ", "environment": {"WORKMAIL_STEP_X": "1"}},
            [
                "Banner, which edits the message, on an asynchronous rule",
                "content_access: found beside steps",
                "_STEP_X",
            ],
        ),
    ],
)
def test_steps_that_cannot_be_are_refused_before_anything_is_made(
    steps: list[Any], arguments: dict[str, Any], problems: list[str]
) -> None:
    stack = new_stack()
    with pytest.raises(ValueError) as raised:
        steps_rule(stack, *steps, **arguments)
    assert [problem for problem in problems if problem not in str(raised.value)] == []
    assert stack.node.try_find_child("Rule") is None


def test_steps_that_decide_or_edit_need_a_rule_that_mail_waits_for(tmp_path: Path) -> None:
    folder = own_step_folder(tmp_path)
    with pytest.raises(ValueError, match=r"tag, which decides about delivery, on an asynchronous rule.*\(C4, R10\)"):
        steps_rule(new_stack(), OwnStep(folder), run=ASYNCHRONOUS)
    steps_rule(new_stack(), OwnStep(folder, decides=False, content_access="READ"), run=ASYNCHRONOUS)


@pytest.mark.fact("T2")
def test_synth_warns_of_a_fallback_that_delivers_what_a_guard_did_not_see_to() -> None:
    stack = new_stack()
    steps_rule(stack, Guard(["a@example.com"]), Banner("x"))
    ((path, text),) = warnings_of(stack)
    assert (path, "the fallback DEFAULT with Guard" in text, "allowed: BOUNCE or DROP" in text) == (
        "/Mail/Rule",
        True,
        True,
    )
    quiet = new_stack()
    bouncing = Run.synchronous(fallback=FallbackAction.BOUNCE)
    steps_rule(quiet, Guard(["a@example.com"]), run=bouncing, name="Bouncing")
    steps_rule(quiet, Guard(["a@example.com"], on_failure=OnFailure.GO_ON), name="MayFail", senders=["example.net"])
    assert [text for _, text in warnings_of(quiet) if "fallback" in text] == []


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Banner(" "), "Banner: text: found an empty text"),
        (lambda: Banner("x", senders=[]), "senders: found an empty list"),
        (lambda: Banner("x", senders=["a+b@example.com"]), r"senders\[0\]"),
        (lambda: Banner("x", recipients="NONE"), "recipients: found 'NONE'; allowed: ALL, INTERNAL, EXTERNAL"),
        (lambda: Banner("x", on_failure="STOP"), "on_failure: found 'STOP'; allowed: FAIL, GO_ON"),
        (lambda: Banner("x", name="a/b"), "name: found 'a/b'; a name begins with a letter"),
        (lambda: Bounce(""), "Bounce: found an empty text"),
        (lambda: Bounce("x" * 1001), "at most 1,000 are allowed"),
    ],
)
def test_wrong_arguments_are_refused_where_they_are_given(make: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        make()


def test_the_name_of_a_step_may_be_that_of_a_part_of_the_rule(tmp_path: Path) -> None:
    stack = new_stack()
    rule = steps_rule(
        stack, Banner("x", name="Function"), OwnStep(own_step_folder(tmp_path), name="OnceTable", once=True)
    )
    assert rule.function.node.path == "Mail/Rule/Function"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"at": {1, 2}}, r"configuration\.at: found a set"),
        ({"at": [float("nan")]}, r"configuration\.at\[0\]: found nan"),
        ({"$environment": "HOME"}, r"found the key '\$environment'"),
        ({1: 2}, "found the key 1"),
        ({"at": Token.as_number(Fn.ref("AWS::Region"))}, r"configuration\.at: found a number token"),
        ({"at": Token.as_list(Fn.get_azs())}, r"configuration\.at\[0\]: found a list token"),
    ],
)
def test_a_configuration_that_is_not_json_is_refused(tmp_path: Path, value: dict[Any, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        OwnStep(own_step_folder(tmp_path), configuration=value)


@pytest.mark.parametrize(
    ("folder", "function", "problem"),
    [
        ("missing", "step.run", "folder: found .*, which is not a folder"),
        ("two-words", "step.run", "which Python cannot import; use letters, digits and _"),
        ("tag", "run", "a function is named MODULE.FUNCTION"),
        ("tag", "other.run", "there is no .*other.py"),
        ("tag", "step.start", "step.py has no .start.; it has "),
    ],
)
def test_a_folder_that_is_no_step_is_refused(tmp_path: Path, folder: str, function: str, problem: str) -> None:
    own_step_folder(tmp_path, "two-words")
    own_step_folder(tmp_path, "tag")
    with pytest.raises(ValueError, match=problem):
        OwnStep(tmp_path / folder, function=function)


def test_steps_work_in_a_stack_that_knows_neither_region_nor_account(tmp_path: Path) -> None:
    stack = new_stack(None)
    domain = CfnParameter(stack, "Domain").value_as_string
    own = OwnStep(own_step_folder(tmp_path), once=True)
    steps_rule(stack, Banner("x", senders="INTERNAL"), own, domains=[domain])
    assert isinstance(Stack.of(stack), Stack)
    (name,) = (each for each in only(stack, FUNCTION)["Environment"]["Variables"] if "VALUE" in each)
    assert configuration(stack)["steps"][0]["condition"]["internal"] == {"domains": [{"$environment": name}]}


def test_a_rule_takes_a_list_of_steps_only() -> None:
    stack = new_stack()
    rule = steps_rule(stack, Banner("x"))
    with pytest.raises(ValueError, match="steps: found a Banner alone; give a list of steps"):
        type(rule)(
            stack,
            "Alone",
            organization=rule.organization,
            direction=FlowDirection.INBOUND,
            run=ASYNCHRONOUS,
            steps=Banner("x"),  # type: ignore[arg-type]
        )
