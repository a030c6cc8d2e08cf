"""Keeps the local WorkMail, and everything it starts, on this machine."""

from __future__ import annotations

import ipaddress
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from workmail_local.access_keys import SECRET_ACCESS_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


_CONNECTIONS = Path("/proc/net/tcp")


class NotLoopbackError(Exception):
    """An endpoint that is not on this machine; nothing was sent to it."""


def is_loopback(host: str | None) -> bool:
    """Whether a host is `localhost` or a loopback address; any other name may lead anywhere."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def is_local_request(host: str, origin: str | None) -> bool:
    """Whether a request names a loopback host, and no page of another site sent it.

    A name under `localhost` is one too (RFC 6761 section 6.3): S3 clients put a bucket's name in front. A site that
    lets its own name lead to this machine (DNS rebinding) sends that name.

    Args:
        host: The request's Host header.
        origin: Its Origin header, if it has one.
    """
    try:
        asked = urlsplit(f"//{host}").hostname or ""
        page = None if origin is None else urlsplit(origin).hostname or ""
    except ValueError:  # such as an unclosed bracket
        return False
    return (is_loopback(asked) or asked.endswith(".localhost")) and (page is None or is_loopback(page))


def belongs_to_another_user(peer: tuple[str, int], own: tuple[str, int]) -> bool:
    """Whether another user of this machine holds the other end of a connection over 127.0.0.1.

    Linux alone says whose a connection is; elsewhere the answer is no.

    Args:
        peer: Address and port of the other end.
        own: Address and port of ours.
    """
    try:
        rows = [line.split() for line in _CONNECTIONS.read_text().splitlines()[1:]]
    except FileNotFoundError:
        return False
    users = {(row[1], row[2]): row[7] for row in rows}
    here, there = _in_proc(own), _in_proc(peer)
    # A kernel that lists our end lists the other one too, unless another family of sockets hides it.
    return (here, there) in users and users.get((there, here)) != str(os.getuid())


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
    environment: Mapping[str, str] | None = None,
    *,
    endpoint: str,
    access_key_id: str,
    region: str,
    config_file: str = os.devnull,
) -> dict[str, str]:
    """An environment for a child process whose AWS calls reach the endpoint only, with credentials for nothing else.

    It has nothing of the shell that could name credentials, an account, a role or another endpoint: no profiles, files,
    web identities, container or instance credentials.

    Args:
        environment: The environment to start from; this process's own by default.
        endpoint: The local AWS.
        access_key_id: The developer's key there.
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
        "AWS_ACCESS_KEY_ID": access_key_id,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
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


def _in_proc(address: tuple[str, int]) -> str:
    host = int.from_bytes(ipaddress.IPv4Address(address[0]).packed, sys.byteorder)
    return f"{host:08X}:{address[1]:04X}"
