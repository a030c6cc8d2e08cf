"""Resources of other services that moto lacks, or cannot make, update or delete as a stack needs it."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from moto.cloudformation.exceptions import ValidationError
from moto.iam.exceptions import NotFoundException
from moto.iam.models import Role, iam_backends
from moto.logs.models import logs_backends
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeBucket, s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.exceptions import SNSNotFoundError
from moto.sns.models import sns_backends
from moto.sqs.exceptions import QueueDoesNotExist
from moto.sqs.models import sqs_backends
from moto.ssm.models import ssm_backends

from workmail_local.aws.bootstrap import ASSET_BUCKET, BOOTSTRAP_PARAMETERS
from workmail_local.aws.cloudformation.provider import (
    MotoProvider,
    Properties,
    Provider,
    RememberedResource,
    RememberingProvider,
    SimpleResource,
)

if TYPE_CHECKING:
    from moto.iam.models import ManagedPolicy
    from moto.sns.models import Topic
    from moto.ssm.models import Parameter

    from workmail_local.aws.cloudformation.provider import ResourceRequest


class BucketProvider(MotoProvider):
    """`AWS::S3::Bucket`, with versioning; one that holds objects is not deleted, as in AWS."""

    longest_name = 63

    def generate_name(self, stem: str, suffix: str, properties: Properties) -> str:
        """A name in lower case, which is all that S3 takes."""
        return super().generate_name(stem, suffix, properties).lower()

    def create(self, request: ResourceRequest) -> Any:
        """Make the bucket; a `cdk bootstrap` takes over the one that is there already."""
        made = s3_backends[request.account]["aws"].buckets.get(request.name)
        is_bootstrapped = made is not None and ASSET_BUCKET.fullmatch(request.name)
        bucket: Any = made if is_bootstrapped else super().create(request)
        _set_versioning(bucket, request)
        return bucket

    def update(self, request: ResourceRequest, existing: FakeBucket) -> FakeBucket:
        """Change encryption, tags and versioning; the objects stay."""
        properties = {**copy.deepcopy(request.properties), "BucketName": existing.name}
        FakeBucket.update_from_cloudformation_json(
            existing, existing.name, {"Properties": properties}, request.account, request.region
        )
        _set_versioning(existing, request)
        return existing

    def delete(self, request: ResourceRequest, existing: FakeBucket) -> None:
        """Delete the bucket.

        Raises:
            ValidationError: It holds objects.
        """
        backend = s3_backends[request.account]["aws"]
        with suppress(MissingBucket):
            # moto's delete_bucket silently keeps a bucket that holds objects.
            if backend.get_bucket(existing.name).keys:
                raise ValidationError(message=f"The bucket you tried to delete is not empty: {existing.name}")
            backend.delete_bucket(existing.name)


def _set_versioning(bucket: FakeBucket, request: ResourceRequest) -> None:
    status = request.properties.get("VersioningConfiguration", {}).get("Status")
    if status or bucket.versioning_status:
        bucket.versioning_status = status or "Suspended"


class AutoDeleteObjectsProvider(RememberingProvider):
    """`Custom::S3AutoDeleteObjects`: the custom resource behind CDK's `auto_delete_objects`."""

    def __init__(self) -> None:
        super().__init__(real=True)

    def update(self, request: ResourceRequest, existing: RememberedResource) -> RememberedResource:
        """Remember the bucket; its objects stay."""
        return self.create(request)

    def delete(self, request: ResourceRequest, existing: RememberedResource) -> None:
        """Empty the bucket."""
        with suppress(MissingBucket):
            bucket = s3_backends[request.account]["aws"].get_bucket(existing.properties["BucketName"])
            bucket.keys.clear()


class RoleProvider(MotoProvider):
    """`AWS::IAM::Role`, updated in place so that policies of other resources stay on it."""

    longest_name = 64

    def update(self, request: ResourceRequest, existing: Role) -> Role:
        """Replace description, trust and inline policies."""
        properties = request.properties
        existing.description = properties.get("Description", "")
        existing.assume_role_policy_document = json.dumps(properties["AssumeRolePolicyDocument"])
        for policy in properties.get("Policies", ()):
            existing.put_policy(policy["PolicyName"], policy["PolicyDocument"])
        return existing

    def delete(self, request: ResourceRequest, existing: Role) -> None:
        """Delete the role with everything attached to it."""
        existing.managed_policies.clear()
        existing.policies.clear()
        Role.delete_from_cloudformation_json(existing.name, {}, request.account, request.region)


class ManagedPolicyProvider(MotoProvider):
    """`AWS::IAM::ManagedPolicy`: moto has neither update nor delete."""

    def update(self, request: ResourceRequest, existing: ManagedPolicy) -> Any:
        """Make the policy again."""
        return Provider.update(self, request, existing)

    def delete(self, request: ResourceRequest, existing: ManagedPolicy) -> None:
        """Detach and delete the policy."""
        iam = iam_backends[request.account]["aws"]
        for role in iam.roles.values():
            role.managed_policies.pop(existing.arn, None)
        iam.managed_policies.pop(existing.arn, None)


class MetricFilterProvider(Provider):
    """`AWS::Logs::MetricFilter`, which moto keeps and describes; it counts nothing."""

    name_property = "FilterName"

    def create(self, request: ResourceRequest) -> RememberedResource:
        """Put the filter on its log group."""
        properties = request.properties
        transformations: Any = [  # moto says that it is text
            {name[0].lower() + name[1:]: value for name, value in each.items()}
            for each in properties["MetricTransformations"]
        ]
        logs_backends[request.account][request.region].put_metric_filter(
            request.name, properties["FilterPattern"], properties["LogGroupName"], transformations
        )
        return RememberedResource.of(request)

    def delete(self, request: ResourceRequest, existing: RememberedResource) -> None:
        """Take the filter off."""
        logs_backends[request.account][request.region].delete_metric_filter(
            existing.physical_resource_id, existing.properties["LogGroupName"]
        )


class RolePolicyProvider(Provider):
    """`AWS::IAM::RolePolicy`: one inline policy of one role."""

    def create(self, request: ResourceRequest) -> RememberedResource:
        """Put the policy on the role."""
        properties = request.properties
        iam_backends[request.account]["aws"].put_role_policy(
            properties["RoleName"], properties["PolicyName"], json.dumps(properties.get("PolicyDocument", {}))
        )
        return RememberedResource.of(request, physical_id=properties["PolicyName"])

    def update(self, request: ResourceRequest, existing: RememberedResource) -> RememberedResource:
        """Replace the policy."""
        return self.create(request)

    def delete(self, request: ResourceRequest, existing: RememberedResource) -> None:
        """Remove the policy, unless it went with its role."""
        properties = existing.properties
        with suppress(NotFoundException):
            iam_backends[request.account]["aws"].delete_role_policy(properties["RoleName"], properties["PolicyName"])


class QueueProvider(MotoProvider):
    """`AWS::SQS::Queue`, with a generated name that ends as the kind of queue needs."""

    longest_name = 80

    def generate_name(self, stem: str, suffix: str, properties: Properties) -> str:
        """A name that ends in `.fifo` for a FIFO queue."""
        ending = ".fifo" if _flag(properties, "FifoQueue") else ""
        return super().generate_name(stem, suffix + ending, properties)


class QueuePolicyProvider(Provider):
    """`AWS::SQS::QueuePolicy`."""

    def create(self, request: ResourceRequest) -> RememberedResource:
        """Put the policy on the queues."""
        self._put(request, request.properties["Queues"], json.dumps(request.properties["PolicyDocument"]))
        return RememberedResource.of(request)

    def delete(self, request: ResourceRequest, existing: RememberedResource) -> None:
        """Take the policy off the queues, unless it went with them."""
        with suppress(QueueDoesNotExist):
            self._put(request, existing.properties["Queues"], "")

    def _put(self, request: ResourceRequest, queue_urls: list[str], policy: str) -> None:
        for url in queue_urls:
            sqs_backends[request.account][request.region].set_queue_attributes(
                url.rpartition("/")[2], {"Policy": policy}
            )


class TopicProvider(MotoProvider):
    """`AWS::SNS::Topic`: moto makes it again on update, which would lose its subscriptions."""

    def update(self, request: ResourceRequest, existing: Topic) -> Topic:
        """Leave the topic as it was made."""
        return existing


class SubscriptionProvider(Provider):
    """`AWS::SNS::Subscription`."""

    def create(self, request: ResourceRequest) -> RememberedResource:
        """Subscribe the endpoint."""
        properties = request.properties
        subscription = sns_backends[request.account][request.region].subscribe(
            properties["TopicArn"], properties["Endpoint"], properties["Protocol"]
        )
        return RememberedResource.of(request, physical_id=subscription.arn)

    def delete(self, request: ResourceRequest, existing: RememberedResource) -> None:
        """Unsubscribe, unless the subscription went with its topic."""
        with suppress(SNSNotFoundError):
            sns_backends[request.account][request.region].unsubscribe(existing.physical_resource_id)


class SecretProvider(Provider):
    """`AWS::SecretsManager::Secret`, generated values included: Ref and `Id` give its ARN."""

    name_property = "Name"

    def create(self, request: ResourceRequest) -> SimpleResource:
        """Make the secret."""
        backend = secretsmanager_backends[request.account][request.region]
        created = backend.create_secret(
            name=request.name,
            secret_string=_secret_value(request),
            secret_binary=None,
            description=request.properties.get("Description"),
            tags=request.properties.get("Tags"),
            kms_key_id=request.properties.get("KmsKeyId"),
            client_request_token=None,
            replica_regions=[],
            force_overwrite=False,
        )
        return SimpleResource(json.loads(created)["ARN"])

    def update(self, request: ResourceRequest, existing: SimpleResource) -> SimpleResource:
        """Set a value that the template holds; a generated one stays, as in AWS."""
        if "SecretString" in request.properties:
            secretsmanager_backends[request.account][request.region].put_secret_value(
                secret_id=existing.physical_resource_id,
                secret_string=request.properties["SecretString"],
                secret_binary=None,  # type: ignore[arg-type]  # moto tests it for truth
                client_request_token=None,  # type: ignore[arg-type]
                version_stages=["AWSCURRENT"],
            )
        return existing

    def delete(self, request: ResourceRequest, existing: SimpleResource) -> None:
        """Delete the secret at once, so that a stack of the same name can be made again."""
        secretsmanager_backends[request.account][request.region].delete_secret(
            existing.physical_resource_id, None, force_delete_without_recovery=True
        )


def _secret_value(request: ResourceRequest) -> str:
    generate = request.properties.get("GenerateSecretString")
    if generate is None:
        return str(request.properties.get("SecretString", ""))
    password: str = json.loads(
        secretsmanager_backends[request.account][request.region].get_random_password(
            password_length=int(generate.get("PasswordLength", 32)),
            exclude_characters=generate.get("ExcludeCharacters", ""),
            exclude_numbers=_flag(generate, "ExcludeNumbers"),
            exclude_punctuation=_flag(generate, "ExcludePunctuation"),
            exclude_uppercase=_flag(generate, "ExcludeUppercase"),
            exclude_lowercase=_flag(generate, "ExcludeLowercase"),
            include_space=_flag(generate, "IncludeSpace"),
            require_each_included_type=_flag(generate, "RequireEachIncludedType", default=True),
        )
    )["RandomPassword"]
    key = generate.get("GenerateStringKey")
    if key is None:
        return password
    return json.dumps({**json.loads(generate.get("SecretStringTemplate", "{}")), key: password})


def _flag(properties: dict[str, Any], name: str, *, default: bool = False) -> bool:
    return str(properties.get(name, default)).lower() == "true"


class ParameterProvider(Provider):
    """`AWS::SSM::Parameter`: moto's needs a name and refuses to overwrite."""

    name_property = "Name"

    def create(self, request: ResourceRequest) -> Parameter:
        """Set the parameter; a `cdk bootstrap` may overwrite the one that is there already."""
        properties = request.properties
        parameter: Parameter = ssm_backends[request.account][request.region].put_parameter(
            name=request.name,
            description=properties.get("Description", ""),
            value=properties["Value"],
            parameter_type=properties.get("Type", "String"),
            allowed_pattern=properties.get("AllowedPattern", ""),
            keyid="",
            overwrite=request.name.startswith(BOOTSTRAP_PARAMETERS),
            tags=[],
            data_type=properties.get("DataType", "text"),
            tier=properties.get("Tier"),
            policies=properties.get("Policies"),
        )
        return parameter

    def delete(self, request: ResourceRequest, existing: Parameter) -> None:
        """Delete the parameter."""
        ssm_backends[request.account][request.region].delete_parameter(existing.name)
