"""The CDK constructs that arguments take. Pyright does not see that CDK's classes implement CDK's interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from aws_cdk.aws_cloudwatch import Alarm, CompositeAlarm, IAlarm, IAlarmAction
    from aws_cdk.aws_cloudwatch_actions import Ec2Action, LambdaAction, SnsAction, SsmAction, SsmIncidentAction
    from aws_cdk.aws_ec2 import ISecurityGroup, IVpc, SecurityGroup, Vpc
    from aws_cdk.aws_events import EventBus, IEventBus
    from aws_cdk.aws_iam import IRole, Role
    from aws_cdk.aws_kms import IKey, Key
    from aws_cdk.aws_lambda import FunctionBase, IFunction, ILayerVersion, LayerVersion
    from aws_cdk.aws_s3 import BucketBase, IBucket
    from aws_cdk.aws_secretsmanager import ISecret, Secret
    from aws_cdk.aws_sns import ITopic, Topic
    from aws_cdk.aws_stepfunctions import IStateMachine, StateMachine

AnyAlarm: TypeAlias = "IAlarm | Alarm | CompositeAlarm"
AnyAlarmAction: TypeAlias = (
    "IAlarmAction | Ec2Action | LambdaAction | SnsAction | SsmAction | SsmIncidentAction | ITopic | Topic"
)
AnyBucket: TypeAlias = "IBucket | BucketBase"
AnyEventBus: TypeAlias = "IEventBus | EventBus"
AnyFunction: TypeAlias = "IFunction | FunctionBase"
AnyKey: TypeAlias = "IKey | Key"
AnyLayer: TypeAlias = "ILayerVersion | LayerVersion"
AnyRole: TypeAlias = "IRole | Role"
AnySecret: TypeAlias = "ISecret | Secret"
AnySecurityGroup: TypeAlias = "ISecurityGroup | SecurityGroup"
AnyStateMachine: TypeAlias = "IStateMachine | StateMachine"
AnyVpc: TypeAlias = "IVpc | Vpc"
