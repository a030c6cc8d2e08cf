"""Lambda's resources: moto drops half of a function's properties and has no alias or invoke configuration."""

from __future__ import annotations

import base64
import copy
import io
import json
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from moto.awslambda.exceptions import UnknownFunctionException, UnknownPolicyException
from moto.awslambda.models import EventInvokeConfig, LambdaFunction
from moto.awslambda.utils import get_backend
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends

from workmail_flow.arns import UNPUBLISHED
from workmail_local.aws.cloudformation.provider import Provider, SimpleResource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_local.aws.cloudformation.provider import ResourceRequest

_INTEGERS = ("MemorySize", "Timeout", "ReservedConcurrentExecutions")
# moto would look for the subnets and layers that these name and not find them, or cannot hold the value.
_UNSUPPORTED = ("Layers", "VpcConfig", "Tags")


class DeployableFunction(LambdaFunction):
    """moto's function with the properties that moto drops.

    Attributes:
        declared: The template's properties, resolved.
    """

    declared: Mapping[str, Any]


class FunctionProvider(Provider):
    """`AWS::Lambda::Function`, with all properties; published versions stay when it is updated."""

    name_property = "FunctionName"
    longest_name = 64

    def create(self, request: ResourceRequest) -> DeployableFunction:
        """Make the function."""
        function = _function(request)
        get_backend(request.account, request.region)._lambdas.put_function(function)  # noqa: SLF001
        return function

    def update(self, request: ResourceRequest, existing: DeployableFunction) -> DeployableFunction:
        """Replace the latest version with a function of the new properties."""
        function = _function(request)
        function.policy = existing.policy
        function.event_invoke_config = existing.event_invoke_config
        function.code_or_config_updated = True
        get_backend(request.account, request.region)._lambdas.put_function(function)  # noqa: SLF001
        return function

    def delete(self, request: ResourceRequest, existing: DeployableFunction) -> None:
        """Delete the function with its versions and aliases."""
        get_backend(request.account, request.region).delete_function(existing.function_name)


def _function(request: ResourceRequest) -> DeployableFunction:
    declared = copy.deepcopy(request.properties)
    spec = {name: copy.deepcopy(value) for name, value in declared.items() if name not in _UNSUPPORTED}
    spec["FunctionName"] = request.name
    for name in _INTEGERS:
        if name in spec:
            spec[name] = declared[name] = int(spec[name])
    if "ZipFile" in spec["Code"]:
        spec["Code"]["ZipFile"] = base64.b64encode(_inline_zip(spec["Code"]["ZipFile"], spec.get("Runtime", "")))
    if "ImageUri" in spec["Code"]:
        spec["PackageType"] = "Image"
    _ensure_role(request, spec["Role"])
    # To a type checker, moto's models are abstract and their constructors return something else.
    function: DeployableFunction = cast("Any", DeployableFunction)(
        account_id=request.account, spec=spec, region=request.region, version=UNPUBLISHED
    )
    function.declared = declared
    return function


def _inline_zip(source: str, runtime: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        # A fixed time, so that the same source is the same code.
        name = "index.js" if runtime.startswith("nodejs") else "index.py"
        archive.writestr(zipfile.ZipInfo(name), source)
    return content.getvalue()


def _ensure_role(request: ResourceRequest, arn: str) -> None:
    # A role made elsewhere (`Role.from_role_arn`) exists in the user's account, so it must not stop the deployment.
    # It has no policies here, so requests that need one are denied.
    roles = iam_backends[request.account]["aws"]
    try:
        roles.get_role_by_arn(arn)
    except NotFoundException:
        roles.create_role(
            role_name=arn.rpartition("/")[2],
            assume_role_policy_document="{}",
            path="/" + "".join(f"{part}/" for part in arn.partition(":role/")[2].split("/")[:-1]),
            permissions_boundary=None,
            description="",
            tags=[],
            max_session_duration="3600",
        )


@dataclass(slots=True)
class PublishedVersion(SimpleResource):
    """A version of a function: Ref gives its ARN."""

    version: str

    def get_cfn_attribute(self, name: str) -> str:
        """`Version` or `FunctionArn`."""
        return self.version if name == "Version" else self.physical_resource_id


class VersionProvider(Provider):
    """`AWS::Lambda::Version`: Ref gives its ARN; in moto, Ref gives the logical id.

    A deleted version is kept until its function goes: moto would give its number to the next one.
    """

    replaced_on_change = True

    def create(self, request: ResourceRequest) -> PublishedVersion:
        """Publish the function as it is now."""
        backend = get_backend(request.account, request.region)
        published = backend.publish_version(request.properties["FunctionName"])
        if published is None:
            raise UnknownFunctionException(request.properties["FunctionName"])
        return PublishedVersion(published.function_arn, str(published.version))


class LayerVersionProvider(Provider):
    """`AWS::Lambda::LayerVersion`: Ref and `LayerVersionArn` give its ARN; in moto, Ref gives an object.

    A deleted one is kept: functions published with it go on using it, and moto would give its number to the next one.
    """

    name_property = "LayerName"
    replaced_on_change = True

    def create(self, request: ResourceRequest) -> SimpleResource:
        """Publish the version."""
        spec = {**copy.deepcopy(request.properties), "LayerName": request.name}
        layer = get_backend(request.account, request.region).publish_layer_version(spec)
        return SimpleResource(layer.arn)


@dataclass(slots=True)
class FunctionSetting(SimpleResource):
    """Something that belongs to a function: an alias, a permission or an invoke configuration."""

    function: str


class AliasProvider(Provider):
    """`AWS::Lambda::Alias`: Ref and `AliasArn` give its ARN."""

    def create(self, request: ResourceRequest) -> FunctionSetting:
        """Point a name at a version."""
        properties = request.properties
        alias = get_backend(request.account, request.region).create_alias(
            properties["Name"],
            properties["FunctionName"],
            str(properties["FunctionVersion"]),
            properties.get("Description", ""),
            properties.get("RoutingConfig", ""),
        )
        return FunctionSetting(alias.arn, properties["FunctionName"])

    def delete(self, request: ResourceRequest, existing: FunctionSetting) -> None:
        """Delete the alias, unless it went with its function."""
        name = existing.physical_resource_id.rpartition(":")[2]
        with suppress(UnknownFunctionException):
            get_backend(request.account, request.region).delete_alias(name, existing.function)


class PermissionProvider(Provider):
    """`AWS::Lambda::Permission`: moto's can be neither changed nor deleted."""

    def create(self, request: ResourceRequest) -> FunctionSetting:
        """Add the statement to the function's policy."""
        function = request.properties["FunctionName"]
        statement = {**request.properties, "StatementId": request.name}
        get_backend(request.account, request.region).get_function(function).policy.add_statement(
            raw=json.dumps(statement)
        )
        return FunctionSetting(request.name, function)

    def delete(self, request: ResourceRequest, existing: FunctionSetting) -> None:
        """Remove the statement, unless it went with its function."""
        with suppress(UnknownFunctionException, UnknownPolicyException):
            function = get_backend(request.account, request.region).get_function(existing.function)
            function.policy.del_statement(existing.physical_resource_id)


class EventInvokeConfigProvider(Provider):
    """`AWS::Lambda::EventInvokeConfig` of a function, version or alias; moto takes each for the function's own."""

    def create(self, request: ResourceRequest) -> FunctionSetting:
        """Set retries and destinations of asynchronous invocations."""
        name = request.properties["FunctionName"]
        function = get_backend(request.account, request.region).get_function(name)
        config = {key: value for key, value in request.properties.items() if key not in ("FunctionName", "Qualifier")}
        for key in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds"):
            if key in config:
                config[key] = int(config[key])
        arn = _qualified_arn(function, request)
        function.event_invoke_config.append(EventInvokeConfig(arn, function.last_modified, config))
        return FunctionSetting(request.name, name)

    def delete(self, request: ResourceRequest, existing: FunctionSetting) -> None:
        """Remove the configuration, unless it went with its function."""
        with suppress(UnknownFunctionException):
            function = get_backend(request.account, request.region).get_function(existing.function)
            arn = _qualified_arn(function, request)
            function.event_invoke_config = [each for each in function.event_invoke_config if each.arn != arn]


def _qualified_arn(function: LambdaFunction, request: ResourceRequest) -> str:
    return f"{function.function_arn}:{request.properties.get('Qualifier', UNPUBLISHED)}"
