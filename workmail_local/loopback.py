"""Keeps the local WorkMail, and everything it starts, on this machine: loopback hosts and made-up credentials."""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DUMMY_ACCESS_KEY_ID = "AKIALOCALWORKMAIL000"
DUMMY_SECRET_ACCESS_KEY = "local"  # noqa: S105 - made up; opens nothing


class NotLoopbackError(Exception):
    """An endpoint that is not on this machine; nothing was sent to it."""


def unsigned_authorization(service: str, *, region: str, account: str | None = None) -> dict[str, str]:
    """Headers for a request to the local AWS, which reads a credential's scope and verifies no signature.

    Args:
        service: As a credential's scope names it, such as `s3`.
        region: Region of the request.
        account: The account to act in, instead of the local AWS's default.
    """
    scope = f"{DUMMY_ACCESS_KEY_ID}/20260101/{region}/{service}/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"}
    return headers if account is None else headers | {"x-moto-account-id": account}


def is_loopback(host: str | None) -> bool:
    """Whether a host is `localhost` or a loopback address; any other name may lead anywhere."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def require_loopback(url: str, *, source: str) -> None:
    """Refuse an endpoint that is not loopback.

    Args:
        url: The endpoint.
        source: Where it was found, for the message.

    Raises:
        NotLoopbackError: Its host is neither `localhost` nor a loopback address.
    """
    if not is_loopback(urlsplit(url).hostname):
        raise NotLoopbackError(
            f"{source} is {url}, which is not on this machine. The local WorkMail talks to http://localhost only: "
            "unset or correct it"
        )


def local_environment(
    environment: Mapping[str, str] | None = None, *, endpoint: str, region: str, config_file: str = os.devnull
) -> dict[str, str]:
    """An environment for a child process whose AWS calls reach the endpoint only, with credentials that open nothing.

    It has nothing of the shell that could name credentials, an account, a role or another endpoint: no profiles, files,
    web identities, container or instance credentials.

    Args:
        environment: The environment to start from; this process's own by default.
        endpoint: The local AWS.
        region: Default Region.
        config_file: AWS configuration and credentials file in place of the user's.

    Raises:
        NotLoopbackError: The endpoint, or one that the environment names, is not loopback.
    """
    environment = os.environ if environment is None else environment
    require_loopback(endpoint, source="the AWS endpoint")
    for name, value in _endpoints(environment):
        require_loopback(value, source=f"the environment variable {name}")
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith("AWS_") and name not in {"CDK_DEFAULT_ACCOUNT", "CDK_DEFAULT_REGION"}
    }
    no_proxy = ",".join(
        filter(None, [environment.get("NO_PROXY") or environment.get("no_proxy"), "localhost,127.0.0.1"])
    )
    return kept | {
        "AWS_ACCESS_KEY_ID": DUMMY_ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": DUMMY_SECRET_ACCESS_KEY,
        "AWS_CONFIG_FILE": config_file,
        "AWS_SHARED_CREDENTIALS_FILE": config_file,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": region,
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def _endpoints(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in environment.items():
        if name.startswith("AWS_ENDPOINT_URL") and value:
            yield name, value
