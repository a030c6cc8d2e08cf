"""What a snapshot compares: steady while the resources are the same, and different as soon as one is not."""

from __future__ import annotations

import copy
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, CfnOutput, CfnResource, LegacyStackSynthesizer, NestedStack, Stack
from aws_cdk.assertions import Template
from aws_cdk.aws_lambda import Alias, Code, Function, Runtime
from aws_cdk.aws_s3_assets import Asset
from syrupy.extensions.json import JSONSnapshotExtension

from tests.constructs.stacks import new_rule, new_stack
from workmail_constructs.testing import TemplateSnapshotExtension, comparable_template

if TYPE_CHECKING:
    from pathlib import Path

HASH = "0123456789abcdef" * 4


def app_stacks(code: Path, *, legacy: bool, description: str = "same") -> list[Stack]:
    """Make a stack with a version, an alias and a nested stack, and a stack that imports them."""
    app = App()

    def stack(name: str) -> Stack:
        return Stack(app, name, synthesizer=LegacyStackSynthesizer() if legacy else None)

    functions, user = stack("Functions"), stack("User")
    asset = Code.from_asset(str(code))
    function = Function(
        functions,
        "Function",
        runtime=Runtime.PYTHON_3_13,
        handler="app.handler",
        code=asset,
        description=description,
    )
    version = function.current_version
    Alias(functions, "Live", alias_name="live", version=version)
    CfnOutput(user, "Version", value=version.version)
    CfnOutput(user, "Arn", value=version.function_arn)
    nested = NestedStack(functions, "Nested")
    Function(nested, "Inner", runtime=Runtime.PYTHON_3_13, handler="app.handler", code=Code.from_asset(str(code)))
    return [functions, nested, user]


def folder(tmp_path: Path, content: str) -> Path:
    made = tmp_path / content
    made.mkdir()
    (made / "app.py").write_text(content, encoding="utf-8")
    return made


@pytest.mark.parametrize("legacy", [False, True])
def test_other_code_is_another_template_but_compares_equal(tmp_path: Path, legacy: bool) -> None:
    old, new = (app_stacks(folder(tmp_path, content), legacy=legacy) for content in ("old", "new"))
    plain = [[Template.from_stack(stack).to_json() for stack in stacks] for stacks in (old, new)]

    assert all(one != other for one, other in zip(*plain, strict=True) if one.get("Resources"))
    assert [comparable_template(stack) for stack in old] == [comparable_template(stack) for stack in new]


def test_another_resource_differs(tmp_path: Path) -> None:
    code = folder(tmp_path, "code")
    functions, *_ = app_stacks(code, legacy=False)
    described, *_ = app_stacks(code, legacy=False, description="other")

    assert comparable_template(functions) != comparable_template(described)


def test_the_three_forms_of_a_template_give_the_same() -> None:
    stack = new_stack(env=None)
    new_rule(stack)
    template = Template.from_stack(stack)
    raw = dict(template.to_json())
    before = copy.deepcopy(raw)

    assert comparable_template(stack) == comparable_template(template) == comparable_template(raw)
    assert raw == before


def test_what_cdk_adds_is_left_out_and_what_the_user_wrote_stays() -> None:
    stack = new_stack(env=None)
    Asset(stack, "Unused", path=__file__)
    resource = CfnResource(stack, "Table", type="AWS::DynamoDB::Table", properties={"Checksum": HASH})
    resource.add_metadata("aws:asset:path", f"asset.{HASH}")
    resource.add_metadata("aws:cdk:path", "Mail/Table")
    resource.add_metadata("reviewed", HASH)

    assert comparable_template(stack) == {
        "Resources": {
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {"Checksum": HASH},
                "Metadata": {"reviewed": HASH},
            }
        }
    }


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        (f"{HASH}.zip", "ASSET.zip"),
        (f"prefix/{HASH}.json", "prefix/ASSET.json"),
        (
            {"Fn::Sub": "${AWS::AccountId}.dkr.ecr/cdk-hnb659fds-container-assets-${AWS::Region}:" + HASH},
            {"Fn::Sub": "${AWS::AccountId}.dkr.ecr/cdk-hnb659fds-container-assets-${AWS::Region}:ASSET"},
        ),
        (HASH, HASH),
        (f"sha256:{HASH}", f"sha256:{HASH}"),
        (f"{HASH}0.zip", f"{HASH}0.zip"),
    ],
)
def test_only_hashes_of_assets_are_replaced(written: Any, compared: Any) -> None:
    template = {"Resources": {"Thing": {"Type": "A::B::C", "Properties": {"Value": written}}}}
    assert comparable_template(template)["Resources"]["Thing"]["Properties"]["Value"] == compared


def test_cdks_own_metadata_resource_is_left_out() -> None:
    template = {
        "Resources": {"CDKMetadata": {"Type": "AWS::CDK::Metadata", "Condition": "CDKMetadataAvailable"}},
        "Conditions": {"CDKMetadataAvailable": {"Fn::Equals": ["a", "b"]}, "Mine": True},
    }
    assert comparable_template(template) == {"Conditions": {"Mine": True}}


def test_something_else_is_refused() -> None:
    found: Any = "cdk.out/Mail.template.json"
    with pytest.raises(TypeError, match="template: found a str; allowed are a Stack"):
        comparable_template(found)


def test_a_snapshot_is_the_json_of_the_comparable_template() -> None:
    stack = new_stack(env=None)
    new_rule(stack)
    assert TemplateSnapshotExtension().serialize(stack) == JSONSnapshotExtension().serialize(comparable_template(stack))


def test_without_syrupy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "syrupy.extensions.json", None)
    monkeypatch.delitem(sys.modules, "workmail_constructs.testing.template_snapshot")
    with pytest.raises(ImportError, match=r"need syrupy.*: pip install 'workmail-constructs\[testing\]'"):
        import_module("workmail_constructs.testing.template_snapshot")
