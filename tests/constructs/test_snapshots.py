"""The template of the one statement, small enough to review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk.assertions import Template
from syrupy.extensions.json import JSONSnapshotExtension

from tests.constructs.stacks import new_rule, new_stack
from workmail_constructs import ContentAccess, WorkMailOrganization

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion


PLACEHOLDERS = {"S3Key": "HASH.zip", "ZipFile": "SOURCE"}


@pytest.fixture
def snapshot_json(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(JSONSnapshotExtension)


def reviewable(template: dict[str, Any]) -> dict[str, Any]:
    """Leave out what every CDK stack has, and the code, which changes with each line of the runtime."""
    del template["Parameters"], template["Rules"]["CheckBootstrapVersion"]
    for resource in template["Resources"].values():
        resource.pop("Metadata", None)
        if resource["Type"] == "AWS::Lambda::Function":
            code = resource["Properties"]["Code"]
            code.update({key: placeholder for key, placeholder in PLACEHOLDERS.items() if key in code})
    return template


def test_run_lambda_rule(snapshot_json: SnapshotAssertion) -> None:
    stack = new_stack(env=None)
    new_rule(stack, content_access=ContentAccess.READ)

    assert reviewable(Template.from_stack(stack).to_json()) == snapshot_json


def test_from_alias(snapshot_json: SnapshotAssertion) -> None:
    stack = new_stack(env=None)
    WorkMailOrganization.from_alias(stack, "Organization", "acme")

    assert reviewable(Template.from_stack(stack).to_json()) == snapshot_json
