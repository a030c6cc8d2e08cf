"""Resources of other services that moto lacks, or cannot update or delete as a stack needs it."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.cloudformation.exceptions import ValidationError
from moto.iam.exceptions import NotFoundException
from moto.iam.models import ManagedPolicy, Role, iam_backends
from moto.s3.exceptions import MissingBucket
from moto.s3.models import FakeBucket, s3_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sns.exceptions import SNSNotFoundError
from moto.sns.models import sns_backends
from moto.sqs.exceptions import QueueDoesNotExist
from moto.sqs.models import sqs_backends
from moto.ssm.models import Parameter, ssm_backends

from workmail_local.aws.bootstrap import ASSET_BUCKET, BOOTSTRAP_PARAMETERS
from workmail_local.aws.cloudformation.provider import (
    MotoProvider,
    RemakingProvider,
    RememberedResource,
)

if TYPE_CHECKING:
    from workmail_local.aws.cloudformation.provider import ResourceRequest


class BucketProvider(MotoProvider):
    """`AWS::S3::Bucket`, with versioning; one that holds objects is not deleted, as in AWS."""

    def __init__(self) -> None:
        super().__init__(FakeBucket)

    def create(self, request: ResourceRequest) -> Any:
        """Make the bucket; `cdk bootstrap` gets the one that was made in its place."""
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
            # moto's delete_bucket keeps a bucket that holds objects without a word.
            if backend.get_bucket(existing.name).keys:
                raise ValidationError(message=f"The bucket you tried to delete is not empty: {existing.name}")
            backend.delete_bucket(existing.name)


def _set_versioning(bucket: FakeBucket, request: ResourceRequest) -> None:
    status = request.properties.get("VersioningConfiguration", {}).get("Status")
    if status or bucket.versioning_status:
        bucket.versioning_status = status or "Suspended"


class AutoDeleteObjectsProvider:
    """`Custom::S3AutoDeleteObjects`: what CDK's `auto_delete_objects` has a custom resource do."""

    real = True

    def create(self, request: ResourceRequest) -> RememberedResource:
        """Remember the bucket."""
        return RememberedResource(request.name, request.type, request.properties, request.account, request.region)

    def update(self, request: ResourceRequest, existing: RememberedResource) -> RememberedResource:
        """Remember the bucket."""
        return self.create(request)

    def delete(self, request: ResourceRequest, existing: RememberedResource) -> None:
        """Empty the bucket."""
        with suppress(MissingBucket):
            bucket = s3_backends[request.account]["aws"].get_bucket(existing.properties["BucketName"])
            bucket.keys.clear()


class RoleProvider(MotoProvider):
    """`AWS::IAM::Role`, updated in place so that what others attached to it stays."""

    def __init__(self) -> None:
        super().__init__(Role)

    def update(self, request: ResourceRequest, existing: Role) -> Role:
        """Replace description, trust and inline policies."""
        properties = request.properties
        existing.description = properties.get("Description", "")
        existing.assume_role_policy_document = json.dumps(properties["AssumeRolePolicyDocument"])
        for policy in properties.get("Policies", ()):
            existing.put_policy(policy["PolicyName"], policy["PolicyDocument"])
        return existing

    def delete(self, request: ResourceRequest, existing: Role) -> None:
        """Delete the role with whatever is attached to it."""
        existing.managed_policies.clear()
        existing.policies.clear()
        Role.delete_from_cloudformation_json(existing.name, {}, request.account, request.region)


class ManagedPolicyProvider(RemakingProvider):
    """`AWS::IAM::ManagedPolicy`: moto has neither update nor delete."""

    def __init__(self) -> None:
        super().__init__(ManagedPolicy)

    def delete(self, request: ResourceRequest, existing: ManagedPolicy) -> None:
        """Detach and delete the policy."""
        iam = iam_backends[request.account]["aws"]
        for role in iam.roles.values():
            role.managed_policies.pop(existing.arn, None)
        iam.managed_policies.pop(existing.arn, None)


class RolePolicyProvider:
    """`AWS::IAM::RolePolicy`: one inline policy of one role."""

    real = True

    def create(self, request: ResourceRequest) -> RememberedResource:
        """Put the policy on the role."""
        properties = request.properties
        iam_backends[request.account]["aws"].put_role_policy(
            properties["RoleName"], properties["PolicyName"], json.dumps(properties.get("PolicyDocument", {}))
        )
        return RememberedResource(properties["PolicyName"], request.type, properties, request.account, request.region)

    def update(self, request: ResourceRequest, existing: RememberedResource) -> RememberedResource:
        """Replace the policy."""
        return self.create(request)

    def delete(self, request: ResourceRequest, existing: RememberedResource) -> None:
        """Remove the policy; it goes with its role too."""
        properties = existing.properties
        with suppress(NotFoundException):
            iam_backends[request.account]["aws"].delete_role_policy(properties["RoleName"], properties["PolicyName"])


class QueuePolicyProvider:
    """`AWS::SQS::QueuePolicy`."""

    real = True

    def create(self, request: ResourceRequest) -> RememberedResource:
        """Put the policy on the queues."""
        self._put(request, request.properties["Queues"], json.dumps(request.properties["PolicyDocument"]))
        return RememberedResource(
            request.name, request.type, copy.deepcopy(request.properties), request.account, request.region
        )

    def update(self, request: ResourceRequest, existing: RememberedResource) -> RememberedResource:
        """Take the policy off and put the new one on."""
        self.delete(request, existing)
        return self.create(request)

    def delete(self, request: ResourceRequest, existing: RememberedResource) -> None:
        """Take the policy off the queues; it goes with them too."""
        with suppress(QueueDoesNotExist):
            self._put(request, existing.properties["Queues"], "")

    def _put(self, request: ResourceRequest, queue_urls: list[str], policy: str) -> None:
        for url in queue_urls:
            sqs_backends[request.account][request.region].set_queue_attributes(
                url.rpartition("/")[2], {"Policy": policy}
            )


class SubscriptionProvider:
    """`AWS::SNS::Subscription`."""

    real = True

    def create(self, request: ResourceRequest) -> RememberedResource:
        """Subscribe the endpoint."""
        properties = request.properties
        subscription = sns_backends[request.account][request.region].subscribe(
            properties["TopicArn"], properties["Endpoint"], properties["Protocol"]
        )
        return RememberedResource(
            subscription.arn, request.type, copy.deepcopy(properties), request.account, request.region
        )

    def update(self, request: ResourceRequest, existing: RememberedResource) -> RememberedResource:
        """Subscribe anew."""
        self.delete(request, existing)
        return self.create(request)

    def delete(self, request: ResourceRequest, existing: RememberedResource) -> None:
        """Unsubscribe; it goes with its topic too."""
        with suppress(SNSNotFoundError):
            sns_backends[request.account][request.region].unsubscribe(existing.physical_resource_id)


@dataclass(slots=True)
class SecretResource:
    """A secret: Ref gives its ARN."""

    physical_resource_id: str

    def get_cfn_attribute(self, name: str) -> str:
        """The ARN, by the name `Id`."""
        return self.physical_resource_id


class SecretProvider:
    """`AWS::SecretsManager::Secret`, generated values included; an update leaves the value alone."""

    real = True

    def create(self, request: ResourceRequest) -> SecretResource:
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
        return SecretResource(json.loads(created)["ARN"])

    def update(self, request: ResourceRequest, existing: SecretResource) -> SecretResource:
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

    def delete(self, request: ResourceRequest, existing: SecretResource) -> None:
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


class ParameterProvider(RemakingProvider):
    """`AWS::SSM::Parameter`: moto's needs a name and refuses to overwrite."""

    def __init__(self) -> None:
        super().__init__(Parameter)

    def create(self, request: ResourceRequest) -> Parameter:
        """Set the parameter; `cdk bootstrap` may overwrite the one that was made in its place."""
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
