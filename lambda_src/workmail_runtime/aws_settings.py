"""The settings of an AWS call, read as boto3 reads them, without loading boto3.

In a function all of them are environment variables, so this module reads those. Where a shared config file may say
more, or the variables hold no credentials (SnapStart, a developer's machine), it asks botocore's own session.
"""

from __future__ import annotations

import os
import re
from functools import cache

from workmail_flow.record import Record
from workmail_runtime.content_errors import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from botocore.session import Session

MAX_ATTEMPTS: Final = {"legacy": 5, "standard": 3, "adaptive": 3}
"""How often boto3 tries a call in each retry mode, the first try included."""


# What boto3 takes for these. Both become part of the host that a signed request, a whole message at times, is sent to.
_REGION: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,62}")
_ENDPOINT_URL: Final = re.compile(r"https?://([a-zA-Z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?(/[a-zA-Z0-9._~%/-]*)?")


class AwsSettings(Record):
    """How to reach one service and as whom.

    Args:
        region: The Region to sign for.
        endpoint_url: The configured endpoint, without a slash at its end; None for the Region's own.
        max_attempts: How often a call is tried, the first try included.
        use_fips: Whether to use the Region's FIPS endpoint.
        use_dualstack: Whether to use the Region's dual-stack endpoint.
        ca_bundle: The certificate authorities to trust, a file; None for botocore's own.
    """

    region: str
    endpoint_url: str | None
    max_attempts: int
    use_fips: bool
    use_dualstack: bool
    ca_bundle: str | None


def read_settings(service_id: str) -> AwsSettings:
    """Read the settings for a service, named by its service id, for example `WorkMailMessageFlow`.

    Raises:
        SettingsError: No Region is set, or a setting has a value that boto3 would refuse too.
    """
    region = _setting("region", "AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION")
    if not region:
        message = "no Region is set: set AWS_DEFAULT_REGION or AWS_REGION; Lambda sets both"
        raise SettingsError(message)
    if not _REGION.fullmatch(region):
        message = f"the Region is {region!r}; it must be like eu-west-1: correct AWS_DEFAULT_REGION or AWS_REGION"
        raise SettingsError(message)
    return AwsSettings(
        region=region,
        endpoint_url=_endpoint_url(service_id),
        max_attempts=_max_attempts(),
        use_fips=_switched_on("use_fips_endpoint", "AWS_USE_FIPS_ENDPOINT"),
        use_dualstack=_switched_on("use_dualstack_endpoint", "AWS_USE_DUALSTACK_ENDPOINT"),
        # boto3 asks the third variable last, though it is another library's.
        ca_bundle=_setting("ca_bundle", "AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE"),
    )


def read_credentials() -> Any:
    """Return what botocore's signer takes as credentials, for the next request; refreshed where they expire.

    Raises:
        SettingsError: Neither the environment nor botocore's chain of providers has any.
    """
    access_key, secret_key = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if access_key and secret_key:
        return _EnvironmentCredentials(access_key, secret_key, os.environ.get("AWS_SESSION_TOKEN"))
    credentials = _session().get_credentials()
    if credentials is None:
        message = (
            "no AWS credentials found: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and none of botocore's "
            "providers has any; give the function a role"
        )
        raise SettingsError(message)
    return credentials.get_frozen_credentials()


class _EnvironmentCredentials(Record):
    """As botocore's ReadOnlyCredentials, whose module would load most of botocore."""

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        return "_EnvironmentCredentials(…)"


@cache
def _session() -> Session:
    """Return botocore's session, kept because its credentials refresh themselves."""
    from botocore.session import Session

    return Session()


def _has_config_file() -> bool:
    return _is_file(os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"))


@cache
def _is_file(path: str) -> bool:
    return os.path.isfile(os.path.expanduser(path))


def _setting(name: str, variable: str) -> str | None:
    """Return a setting by botocore's name or by the variable that goes before the config file."""
    if found := os.environ.get(variable):
        return found
    if not _has_config_file():
        return None
    configured = _session().get_config_variable(name)
    return None if configured is None else str(configured)


def _switched_on(name: str, variable: str) -> bool:
    return (_setting(name, variable) or "").lower() == "true"


def _max_attempts() -> int:
    mode = _setting("retry_mode", "AWS_RETRY_MODE") or "standard"
    if mode not in MAX_ATTEMPTS:
        message = f"AWS_RETRY_MODE is {mode!r}; allowed are {', '.join(MAX_ATTEMPTS)}"
        raise SettingsError(message)
    attempts = _setting("max_attempts", "AWS_MAX_ATTEMPTS")
    if attempts is None:
        return MAX_ATTEMPTS[mode]
    if not attempts.isdecimal() or int(attempts) < 1:
        message = f"AWS_MAX_ATTEMPTS is {attempts!r}; it must be a whole number, 1 or more"
        raise SettingsError(message)
    return int(attempts)


def _endpoint_url(service_id: str) -> str | None:
    if _switched_on("ignore_configured_endpoint_urls", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        return None
    specific = f"AWS_ENDPOINT_URL_{service_id.upper().replace(' ', '_')}"
    url = os.environ.get(specific) or os.environ.get("AWS_ENDPOINT_URL")
    if not url and _has_config_file():
        from botocore.configprovider import ConfiguredEndpointProvider

        session = _session()
        url = ConfiguredEndpointProvider(
            full_config=session.full_config, scoped_config=session.get_scoped_config(), client_name=service_id
        ).provide()
    if not url:
        return None
    if not _ENDPOINT_URL.fullmatch(url):
        without_password = url.rpartition("@")[2]
        message = (
            f"the endpoint of {service_id} is {without_password!r}; it must be a URL like https://s3.example.com: "
            f"correct {specific} or AWS_ENDPOINT_URL"
        )
        raise SettingsError(message)
    return url.rstrip("/")
