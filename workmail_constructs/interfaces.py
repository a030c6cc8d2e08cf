"""The CDK constructs that arguments take. Pyright does not see that CDK's classes implement CDK's interfaces."""

from __future__ import annotations

from typing import TypeAlias

from aws_cdk.aws_kms import IKey, Key
from aws_cdk.aws_lambda import FunctionBase, IFunction
from aws_cdk.aws_s3 import BucketBase, IBucket

AnyBucket: TypeAlias = IBucket | BucketBase
AnyFunction: TypeAlias = IFunction | FunctionBase
AnyKey: TypeAlias = IKey | Key
