"""What a deployment needs of `cdk bootstrap`, made in an instant and on demand."""

from __future__ import annotations

import re

from moto.s3.models import s3_backends
from moto.ssm.models import ssm_backends

_DEFAULT_QUALIFIER = "hnb659fds"
# The template version of a current `cdk bootstrap`; CDK asks for 6 or more.
_TEMPLATE_VERSION = "30"
ASSET_BUCKET = re.compile(r"cdk-(?P<qualifier>[a-z0-9]+)-assets-(?P<account>\d{12})-(?P<region>[a-z0-9-]+)")
BOOTSTRAP_PARAMETERS = "/cdk-bootstrap/"
_BOOTSTRAP_ROLE = re.compile(
    r":role/cdk-(?P<qualifier>[a-z0-9]+)-[a-z-]+-role-(?P<account>\d{12})-(?P<region>[a-z0-9-]+)$"
)


def bootstrap(account: str, region: str, qualifier: str = _DEFAULT_QUALIFIER) -> None:
    """Make the asset bucket and the version parameter if they are not there yet."""
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


def bootstrap_for_role(role_arn: str) -> None:
    """Bootstrap the account and Region of a bootstrap role; any other role is none of ours."""
    found = _BOOTSTRAP_ROLE.search(role_arn)
    if found:
        bootstrap(found["account"], found["region"], found["qualifier"])
