"""What stays on this machine."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from workmail_local.loopback import (
    NotLoopbackError,
    belongs_to_another_user,
    is_local_request,
    is_loopback,
    local_environment,
    require_loopback,
)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_loopback_hosts(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", [None, "", "::", "192.168.1.2", "localhost.example.com", "127.0.0.1.nip.io"])
def test_every_other_host_may_lead_anywhere(host: str | None) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("origin", [None, "http://localhost:3000", "http://127.0.0.1", "http://[::1]:80"])
@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1:1", "[::1]:1", "localhost", "bucket.localhost:1"])
def test_what_is_local_request(host: str, origin: str | None) -> None:
    assert is_local_request(host, origin)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        *(
            (host, None)
            for host in ("", "evil.example", "localhost.evil.example", "[::1", "evillocalhost", "192.0.2.1")
        ),
        *(("localhost:1", page) for page in ("https://evil.example", "null", "", "http://[::1", "localhost")),
    ],
)
def test_what_another_site_may_have_asked(host: str, origin: str | None) -> None:
    assert not is_local_request(host, origin)


@pytest.mark.parametrize("url", ["http://localhost:4566", "http://127.0.0.1:1", "http://127.8.8.8:1", "http://[::1]:1"])
def test_loopback_endpoints_are_taken(url: str) -> None:
    require_loopback(url, source="a test")


@pytest.mark.parametrize(
    "url",
    [
        *["https://workmail.us-east-1.amazonaws.com", "http://192.168.1.2:4566", "http://localhost.example.com"],
        *["http://example.com/localhost", "http://localhost@example.com", "http://0.0.0.0:4566", "localhost:4566", ""],
    ],
)
def test_every_other_endpoint_is_refused(url: str) -> None:
    with pytest.raises(NotLoopbackError, match="which is not on this machine"):
        require_loopback(url, source="a test")


def test_nothing_of_the_shells_account_is_left() -> None:
    shell = {
        "PATH": "/bin",
        "HOME": "/home/ann",
        "AWS_PROFILE": "production",
        "AWS_DEFAULT_PROFILE": "production",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_SECRET_ACCESS_KEY": "real",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ROLE_ARN": "real",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "real",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "real",
        "AWS_CONFIG_FILE": "real",
        "AWS_SHARED_CREDENTIALS_FILE": "real",
        "AWS_CA_BUNDLE": "real",
        "AWS_ENDPOINT_URL_S3": "http://localhost:1",
        "AWS_REGION": "ap-south-1",
        "CDK_DEFAULT_ACCOUNT": "999999999999",
        "CDK_DEFAULT_REGION": "ap-south-1",
        "NO_PROXY": "internal",
    }
    endpoint = "http://localhost:4566"
    found = local_environment(shell, endpoint=endpoint, access_key_id="AKIALOCAL", region="eu-west-1")
    assert found == {
        "PATH": "/bin",
        "HOME": "/home/ann",
        "AWS_ACCESS_KEY_ID": "AKIALOCAL",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "eu-west-1",
        "NO_PROXY": "internal,localhost,127.0.0.1",
        "no_proxy": "internal,localhost,127.0.0.1",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whose a connection is")
def test_whose_a_connection_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        ends = accepted.getpeername(), accepted.getsockname()
        assert not belongs_to_another_user(*ends)
        monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)
        assert belongs_to_another_user(*ends)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whose a connection is")
def test_an_end_that_hides_among_the_sockets_of_ipv6_belongs_to_another_user() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.socket(socket.AF_INET6) as hidden,
    ):
        hidden.connect(("::ffff:127.0.0.1", listener.getsockname()[1]))
        with listener.accept()[0] as accepted:
            assert belongs_to_another_user(accepted.getpeername(), accepted.getsockname())
