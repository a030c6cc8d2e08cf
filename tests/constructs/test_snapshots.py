"""The template of the one statement, small enough to review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk.assertions import Template
from syrupy.extensions.json import JSONSnapshotExtension

from tests.constructs.stacks import new_rule, new_stack
from workmail_constructs import ContentAccess

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion


@pytest.fixture
def snapshot_json(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(JSONSnapshotExtension)


def reviewable(template: dict[str, Any]) -> dict[str, Any]:
    """Leave out what every CDK stack has, and the asset's hash, which changes with each line of the runtime."""
    del template["Parameters"], template["Rules"]["CheckBootstrapVersion"]
    for resource in template["Resources"].values():
        resource.pop("Metadata", None)
        if resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Code"]["S3Key"] = "HASH.zip"
    return template


def test_run_lambda_rule(snapshot_json: SnapshotAssertion) -> None:
    stack = new_stack(env=None)
    new_rule(stack, content_access=ContentAccess.READ)

    assert reviewable(Template.from_stack(stack).to_json()) == snapshot_json
