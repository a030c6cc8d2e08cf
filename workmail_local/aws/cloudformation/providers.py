"""Which provider makes which resource type."""

from __future__ import annotations

from workmail_local.aws.cloudformation.lambda_providers import (
    AliasProvider,
    EventInvokeConfigProvider,
    FunctionProvider,
    LayerVersionProvider,
    PermissionProvider,
    VersionProvider,
)
from workmail_local.aws.cloudformation.nested_stack import NestedStackProvider
from workmail_local.aws.cloudformation.provider import (
    MotoProvider,
    Provider,
    RememberingProvider,
    moto_model,
)
from workmail_local.aws.cloudformation.service_providers import (
    AutoDeleteObjectsProvider,
    BucketProvider,
    ManagedPolicyProvider,
    ParameterProvider,
    QueuePolicyProvider,
    RolePolicyProvider,
    RoleProvider,
    SecretProvider,
    SubscriptionProvider,
)

OWN_PROVIDERS: dict[str, Provider] = {
    "AWS::CloudFormation::Stack": NestedStackProvider(),
    "AWS::IAM::ManagedPolicy": ManagedPolicyProvider(),
    "AWS::IAM::Role": RoleProvider(),
    "AWS::IAM::RolePolicy": RolePolicyProvider(),
    "AWS::Lambda::Alias": AliasProvider(),
    "AWS::Lambda::EventInvokeConfig": EventInvokeConfigProvider(),
    "AWS::Lambda::Function": FunctionProvider(),
    "AWS::Lambda::LayerVersion": LayerVersionProvider(),
    "AWS::Lambda::Permission": PermissionProvider(),
    "AWS::Lambda::Version": VersionProvider(),
    "AWS::S3::Bucket": BucketProvider(),
    # Kept from moto, whose enforcement would block every upload over http; the local WorkMail evaluates it.
    "AWS::S3::BucketPolicy": RememberingProvider(real=True),
    "AWS::SNS::Subscription": SubscriptionProvider(),
    "AWS::SQS::QueuePolicy": QueuePolicyProvider(),
    "AWS::SSM::Parameter": ParameterProvider(),
    "AWS::SecretsManager::Secret": SecretProvider(),
    # Nothing but data in AWS too.
    "AWS::CDK::Metadata": RememberingProvider(real=True),
    "Custom::S3AutoDeleteObjects": AutoDeleteObjectsProvider(),
}

_MADE_ANEW_ON_CHANGE = frozenset({"AWS::Lambda::LayerVersion", "AWS::Lambda::Version"})
_DATA_ONLY = RememberingProvider()


def provider_for(resource_type: str) -> Provider:
    """Our own provider, else moto's model, else one that keeps the resource as data."""
    own = OWN_PROVIDERS.get(resource_type)
    if own is not None:
        return own
    model = moto_model(resource_type)
    # A custom resource would need its function invoked while the stack is being made.
    return MotoProvider(model) if model is not None else _DATA_ONLY


def needs_replacement(resource_type: str, name_changed: bool) -> bool:
    """Whether a change to the resource means another resource instead of the same one changed."""
    return name_changed or resource_type in _MADE_ANEW_ON_CHANGE
