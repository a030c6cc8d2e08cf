"""What `cdk bootstrap` makes, as far as a deployment needs it, made in an instant and on demand."""

from __future__ import annotations

import re
from functools import wraps
from typing import Any

from moto.s3.models import s3_backends
from moto.ssm.models import ssm_backends
from moto.sts.models import STSBackend

DEFAULT_QUALIFIER = "hnb659fds"
# The template version of a current `cdk bootstrap`; CDK asks for 6 or more.
_TEMPLATE_VERSION = "30"
ASSET_BUCKET = re.compile(r"cdk-(?P<qualifier>[a-z0-9]+)-assets-(?P<account>\d{12})-(?P<region>[a-z0-9-]+)")
BOOTSTRAP_PARAMETERS = "/cdk-bootstrap/"
_BOOTSTRAP_ROLE = re.compile(
    r":role/cdk-(?P<qualifier>[a-z0-9]+)-[a-z-]+-role-(?P<account>\d{12})-(?P<region>[a-z0-9-]+)$"
)


def bootstrap(account: str, region: str, qualifier: str = DEFAULT_QUALIFIER) -> str:
    """Make the asset bucket and the version parameter if they are not there; returns the bucket's name."""
    bucket = f"cdk-{qualifier}-assets-{account}-{region}"
    s3 = s3_backends[account]["aws"]
    if bucket not in s3.buckets:
        s3.create_bucket(bucket, region)
    parameters = ssm_backends[account][region]
    name = f"{BOOTSTRAP_PARAMETERS}{qualifier}/version"
    if parameters.get_parameter(name) is None:
        parameters.put_parameter(
            name=name,
            description="",
            value=_TEMPLATE_VERSION,
            parameter_type="String",
            allowed_pattern="",
            keyid="",
            overwrite=False,
            tags=[],
            data_type="text",
            tier=None,
            policies=None,
        )
    return bucket


def install() -> None:
    """Bootstrap an account and Region, whichever they are, as soon as one of their bootstrap roles is assumed.

    The CDK CLI assumes these roles before it does anything else, which also takes it into the account of a stack that
    names its account.
    """
    assume_role = STSBackend.assume_role

    @wraps(assume_role)
    def assume_bootstrapped_role(self: STSBackend, *args: Any, **kwargs: Any) -> Any:
        found = _BOOTSTRAP_ROLE.search(str(kwargs.get("role_arn", "")))
        if found:
            bootstrap(found["account"], found["region"], found["qualifier"])
        return assume_role(self, *args, **kwargs)

    STSBackend.assume_role = assume_bootstrapped_role  # type: ignore[method-assign]
