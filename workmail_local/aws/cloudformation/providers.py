"""Which provider makes which resource type."""

from __future__ import annotations

from functools import cache

from moto.cloudformation.parsing import get_model_map
from moto.iam.models import ManagedPolicy, Role
from moto.s3.models import FakeBucket
from moto.sns.models import Topic
from moto.sqs.models import Queue

from workmail_flow.event_logging_resource import EVENT_LOGGING_TYPE
from workmail_flow.lookup_resource import LOOKUP_TYPE
from workmail_local.aws.cloudformation.custom_resource import CustomResourceProvider
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
)
from workmail_local.aws.cloudformation.service_providers import (
    AutoDeleteObjectsProvider,
    BucketProvider,
    ManagedPolicyProvider,
    MetricFilterProvider,
    ParameterProvider,
    QueuePolicyProvider,
    QueueProvider,
    RolePolicyProvider,
    RoleProvider,
    SecretProvider,
    SubscriptionProvider,
    TopicProvider,
)

OWN_PROVIDERS: dict[str, Provider] = {
    "AWS::CloudFormation::Stack": NestedStackProvider(),
    "AWS::IAM::ManagedPolicy": ManagedPolicyProvider(ManagedPolicy),
    "AWS::IAM::Role": RoleProvider(Role),
    "AWS::IAM::RolePolicy": RolePolicyProvider(),
    "AWS::Lambda::Alias": AliasProvider(),
    "AWS::Lambda::EventInvokeConfig": EventInvokeConfigProvider(),
    "AWS::Lambda::Function": FunctionProvider(),
    "AWS::Lambda::LayerVersion": LayerVersionProvider(),
    "AWS::Lambda::Permission": PermissionProvider(),
    "AWS::Lambda::Version": VersionProvider(),
    "AWS::Logs::MetricFilter": MetricFilterProvider(),
    "AWS::S3::Bucket": BucketProvider(FakeBucket),
    # Kept from moto, which would enforce it and so block every upload over http; the local WorkMail evaluates it.
    "AWS::S3::BucketPolicy": RememberingProvider(real=True),
    "AWS::SNS::Subscription": SubscriptionProvider(),
    "AWS::SNS::Topic": TopicProvider(Topic),
    "AWS::SQS::Queue": QueueProvider(Queue),
    "AWS::SQS::QueuePolicy": QueuePolicyProvider(),
    "AWS::SSM::Parameter": ParameterProvider(),
    "AWS::SecretsManager::Secret": SecretProvider(),
    # Nothing but data in AWS too.
    "AWS::CloudFormation::WaitConditionHandle": RememberingProvider(real=True),
    "AWS::CDK::Metadata": RememberingProvider(real=True),
    "Custom::S3AutoDeleteObjects": AutoDeleteObjectsProvider(),
    EVENT_LOGGING_TYPE: CustomResourceProvider(),
    LOOKUP_TYPE: CustomResourceProvider(),
}

# Other custom resources are among them: what their functions call is, for the most part, not here.
_DATA_ONLY = RememberingProvider(real=False)


@cache
def provider_for(resource_type: str) -> Provider:
    """Our own provider, else moto's model, else one that keeps the resource as data only."""
    own = OWN_PROVIDERS.get(resource_type)
    if own is not None:
        return own
    model = get_model_map().get(resource_type)
    return _DATA_ONLY if model is None else MotoProvider(model)
