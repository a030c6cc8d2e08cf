"""One AWS endpoint for this folder's tests; they run in one process (`xdist_group`) and share nothing but it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from workmail_local.aws.server import AwsEndpoint
from workmail_local.deployment import Deployment, load_deployments

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workmail_local.access_keys import AccessKeys


@dataclass
class LocalAws:
    """An endpoint with its state folder, and what a test does with it."""

    endpoint: AwsEndpoint
    state: Path

    @property
    def url(self) -> str:
        return self.endpoint.url

    @property
    def keys(self) -> AccessKeys:
        return self.endpoint.keys

    def client(self, service: str, *, region: str = "us-east-1", access_key: str | None = None) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=access_key or self.keys.developer,
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def create(self, name: str, resources: dict[str, Any], **template: Any) -> dict[str, Any]:
        self.client("cloudformation").create_stack(
            StackName=name, TemplateBody=json.dumps({"Resources": resources, **template})
        )
        return self.stack(name)

    def update(self, name: str, resources: dict[str, Any], **template: Any) -> dict[str, Any]:
        self.client("cloudformation").update_stack(
            StackName=name, TemplateBody=json.dumps({"Resources": resources, **template})
        )
        return self.stack(name)

    def delete(self, name: str) -> None:
        self.client("cloudformation").delete_stack(StackName=name)

    def stack(self, name: str) -> dict[str, Any]:
        return self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]

    def events(self, name: str) -> list[tuple[str, str, str | None]]:
        """Resource, status and reason, oldest first."""
        events = self.client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
        return [
            (event["LogicalResourceId"], event["ResourceStatus"], event.get("ResourceStatusReason"))
            for event in reversed(events)
        ]

    def resources(self, name: str) -> dict[str, str]:
        """Physical ids by logical id."""
        found = self.client("cloudformation").describe_stack_resources(StackName=name)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in found}

    def deployment(self, name: str) -> Deployment:
        (found,) = (deployed for deployed in load_deployments(self.state) if deployed.stack == name)
        return found


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    state = tmp_path_factory.mktemp("aws")
    endpoint = AwsEndpoint.start(state, region="us-east-1")
    yield LocalAws(endpoint, state)
    endpoint.stop()


ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
}


def function(**properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ZipFile": "def handler(event, context):\n    return None\n"},
            **properties,
        },
    }
