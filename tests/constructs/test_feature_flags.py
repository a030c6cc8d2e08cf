"""Each kind of rule under CDK's feature flags: all recommended ones, and all of them reversed."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, NestedStack, RemovalPolicy, Stack
from aws_cdk.assertions import Template
from aws_cdk.aws_iam import Role, ServicePrincipal
from aws_cdk.aws_kms import Key

from tests.constructs.stacks import HERE, changes, errors_of, new_function, new_rule
from workmail_constructs import Run, WorkMailOrganization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from constructs import Construct

CDK_CLI = Path(__file__).parents[2] / "node_modules/aws-cdk"
"""`cdk init` writes these flags into a new app's cdk.json."""
RECOMMENDED: dict[str, Any] = json.loads((CDK_CLI / "lib/init-templates/.recommended-feature-flags.json").read_text())
REVERSED = {flag: not value for flag, value in RECOMMENDED.items() if isinstance(value, bool)}
FLAGS = {"recommended": RECOMMENDED, "reversed": {**REVERSED, "@aws-cdk/core:defaultCrossStackReferences": "strong"}}

ASYNCHRONOUS = Run.asynchronous()
UPDATING = {"content_access": "UPDATE"}


def _role(scope: Construct) -> Role:
    return Role(scope, "Given", assumed_by=ServicePrincipal("lambda.amazonaws.com"))


def _alias(scope: Construct) -> WorkMailOrganization:
    return WorkMailOrganization.from_alias(scope, "Organization", "acme")


# What the rule is given; made in the rule's stack, or in another one if the kind ends with "elsewhere".
KINDS: dict[str, Callable[[Stack], dict[str, Any]]] = {
    "none": lambda _: {},
    "read": lambda _: {"content_access": "READ"},
    "update": lambda _: UPDATING,
    "update with key": lambda scope: {"message_key": Key(scope, "Key"), **UPDATING},
    "update, emptied": lambda _: {
        "message_bucket_removal_policy": RemovalPolicy.DESTROY,
        "message_bucket_auto_delete_objects": True,
        **UPDATING,
    },
    "asynchronous": lambda _: {"run": ASYNCHRONOUS, "content_access": "READ"},
    "alias": lambda _: {"alias": "live", **UPDATING},
    "asynchronous alias": lambda _: {"alias": "live", "run": ASYNCHRONOUS},
    "log key": lambda scope: {"log_encryption_key": Key(scope, "Key")},
    "existing function": lambda scope: {"function": new_function(scope), **UPDATING},
    "existing function, asynchronous": lambda scope: {"function": new_function(scope), "run": ASYNCHRONOUS},
    "existing function elsewhere": lambda scope: {"function": new_function(scope), **UPDATING},
    "role": lambda scope: {"role": _role(scope), **UPDATING},
    "role elsewhere": lambda scope: {"role": _role(scope), **UPDATING},
    "from_alias": lambda scope: {"organization": _alias(scope), **UPDATING},
    "from_alias elsewhere": lambda scope: {"organization": _alias(scope), **UPDATING},
    "nested": lambda _: UPDATING,
}

# By kind and flags: the logical ids that differ from those without flags, without their hashes.
DIFFERENCES: dict[tuple[str, str], set[str]] = {
    # @aws-cdk/aws-lambda:useCdkManagedLogGroup gives the user's own function a log group.
    ("existing function", "recommended"): {"+ExistingLogGroup"},
    ("existing function, asynchronous", "recommended"): {"+ExistingLogGroup"},
    ("existing function elsewhere", "recommended"): {"+ExistingLogGroup"},
    # A version's id has a hash of the function's properties, which other flags write in another order or form.
    ("alias", "recommended"): {"-RuleFunctionCurrentVersion", "+RuleFunctionCurrentVersion"},
    ("asynchronous alias", "recommended"): {"-RuleFunctionCurrentVersion", "+RuleFunctionCurrentVersion"},
    # @aws-cdk/aws-iam:importedRoleStackSafeDefaultPolicyName names the stack in the policy's id.
    ("role elsewhere", "recommended"): {
        "-RuleRoleOfAnotherStackPolicy",
        "+RuleRoleOfAnotherStackPolicyMailRuleRoleOfAnotherStack79C4DE6C",
    },
}


def build(kind: str, flags: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Synthesize an app with a rule of a kind, and return the templates of its stacks."""
    app = App(context=flags)
    mail = Stack(app, "Mail", env=HERE)
    there = Stack(app, "There", env=HERE) if kind.endswith("elsewhere") else mail
    new_rule(NestedStack(mail, "Inner") if kind == "nested" else mail, **KINDS[kind](there))

    app.synth()
    assert errors_of(mail) == []
    return [Template.from_stack(each).to_json() for each in app.node.find_all() if isinstance(each, Stack)]


@cache
def without_flags(kind: str) -> list[dict[str, Any]]:
    return build(kind, {})


def logical_ids(templates: list[dict[str, Any]]) -> dict[str, None]:
    return dict.fromkeys(name for template in templates for name in template.get("Resources", {}))


def rights(templates: list[dict[str, Any]]) -> set[tuple[str, ...]]:
    """Return every single right that the policies of some templates give or deny."""
    return {right for template in templates for right in _rights(template)}


def _rights(node: object) -> Iterator[tuple[str, ...]]:
    if isinstance(node, dict) and "Effect" in node and "Action" in node:
        # A policy may list several, and flags decide how many it lists together.
        principals, actions, resources = (_listed(node.get(key)) for key in ("Principal", "Action", "Resource"))
        for each in product(principals, actions, resources):
            yield (node["Effect"], *map(_shown, each), _shown(node.get("Condition")))
    elif isinstance(node, dict):
        for value in node.values():
            yield from _rights(value)
    elif isinstance(node, list):
        for value in node:
            yield from _rights(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _shown(value: object) -> str:
    return json.dumps(_plain(value), sort_keys=True)


def _plain(node: Any) -> Any:
    """Write in one way what flags write in two: the partition, and a reference to another stack."""
    match node:
        case {"Ref": "AWS::Partition"}:
            return "aws"
        case {"Fn::ImportValue": str(name)} | {"Fn::GetStackOutput": {"OutputName": str(name)}}:
            return re.sub(r"^.*Output(Ref|FnGetAtt)|[0-9A-F]{8}$", "", name)
        case {"Fn::Join": ["", list(parts)]} if all(isinstance(_plain(part), str) for part in parts):
            return "".join(map(_plain, parts))
        case dict():
            return {key: _plain(value) for key, value in node.items()}
        case list():
            return list(map(_plain, node))
    return node


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("kind", KINDS)
def test_flags_change_no_right_and_no_logical_id_but_those_listed(kind: str, flags: str) -> None:
    before, after = without_flags(kind), build(kind, FLAGS[flags])

    assert changes(logical_ids(before), logical_ids(after)) == DIFFERENCES.get((kind, flags), set())
    assert rights(after) == rights(before)
