"""An HTTPS connection of the standard library whose every wait ends by a deadline.

The standard library's timeout starts again with each byte, so an answer that drips in would hold a handler until Lambda
ends it. urllib3 has the same timeout, and loading it costs a cold start more than all that is done here.
"""

from __future__ import annotations

import http.client
import os
import select
import socket
import ssl
import threading
import time
from functools import cache

from workmail_runtime.content_errors import SettingsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    _AnySocket = socket.socket
else:
    _AnySocket = object

TIMEOUT_S: Final = 60.0
"""How long to wait for a connection, or for its next byte, at most: boto3's own limit."""

_BLOCK_BYTES: Final = 64 * 1024
"""How much is sent within one timeout."""


class Connection(http.client.HTTPConnection):
    """A connection to one host, which may be used for one request after another.

    Over TLS it goes through the proxy that the environment names for https, as boto3's do.

    Args:
        scheme: `https` or `http`.
        host: Its name or address; no brackets around the latter.
        port: By default the scheme's.
        ca_bundle: A file or folder of the certificate authorities to trust; None for the system's.

    Raises:
        SettingsError: The proxy or the certificate authorities cannot be used.
    """

    def __init__(self, scheme: str, host: str, port: int | None = None, *, ca_bundle: str | None = None) -> None:
        self._tls = tls_context(ca_bundle) if scheme == "https" else None
        self._name = host
        self._deadline: float | None = None
        self.default_port = 443 if self._tls else 80
        port = port or self.default_port
        proxy = _proxy(host) if self._tls else None
        if proxy is None:
            super().__init__(host, port, blocksize=_BLOCK_BYTES)
        else:
            proxy_host, proxy_port, headers = proxy
            super().__init__(proxy_host, proxy_port, blocksize=_BLOCK_BYTES)
            self.set_tunnel(host, port, headers)
        # The attribute that the class calls to connect, so that the tunnel of a proxy has the deadline as well.
        self._create_connection = self._connected

    def end_at(self, deadline: float | None) -> None:
        """Let everything from now on fail with a `TimeoutError` at this `time.monotonic()`; None for never."""
        self._deadline = deadline
        if isinstance(self.sock, _Timed):
            self.sock.deadline = deadline

    def connect(self) -> None:
        """Connect, by way of the proxy if there is one, and shake hands.

        Raises:
            OSError: There was no connection in time; `ssl.SSLCertVerificationError` if the certificate is not valid.
        """
        try:
            super().connect()
            if self._tls:
                self.sock.settimeout(_left_s(self._deadline))
                self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)
                self.end_at(self._deadline)
        except BaseException:
            self.close()
            raise

    def can_be_used_again(self) -> bool:
        """Whether the connection is open, and the other side has not ended it since its last answer."""
        if self.sock is None:
            return False
        try:
            return not select.select([self.sock], [], [], 0)[0]
        except (OSError, ValueError):
            return False

    def _connected(self, address: tuple[str, int], *_: object) -> socket.socket:
        places = _resolved(*address, self._deadline)
        for tried, (family, kind, protocol, _name, place) in enumerate(places, start=1):
            sock = _PlainSocket(family, kind, protocol)
            sock.deadline = self._deadline
            try:
                # The last address must have its share of the time too.
                sock.settimeout(_left_s(self._deadline) / (len(places) - tried + 1))
                sock.connect(place)
            except BaseException as error:
                sock.close()
                if tried == len(places) or not isinstance(error, OSError):
                    raise
            else:
                return sock
        message = f"{address[0]} has no address"
        raise OSError(message)


class _Timed(_AnySocket):
    """A socket that waits until a deadline, however often something comes."""

    deadline: float | None = None

    def recv_into(self, *args: Any, **options: Any) -> int:
        self.settimeout(_left_s(self.deadline))
        return super().recv_into(*args, **options)

    def sendall(self, data: Any, flags: int = 0) -> None:
        view = memoryview(data)
        for start in range(0, len(view), _BLOCK_BYTES):
            self.settimeout(_left_s(self.deadline))
            super().sendall(view[start : start + _BLOCK_BYTES], flags)


class _PlainSocket(_Timed, socket.socket):
    pass


class _TlsSocket(_Timed, ssl.SSLSocket):
    pass


def _left_s(deadline: float | None) -> float:
    if deadline is None:
        return TIMEOUT_S
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        message = "the time is over"
        raise TimeoutError(message)
    return min(left_s, TIMEOUT_S)


def _resolved(host: str, port: int, deadline: float | None) -> list[Any]:
    """Return a host's addresses, by a thread that is left alone at the deadline: nothing else ends a look-up."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    outcome: list[list[Any] | Exception] = []

    def run() -> None:
        try:
            outcome.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:
            outcome.append(error)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    worker.join(_left_s(deadline))
    if not outcome:
        message = "the host's address was not found in time"
        raise TimeoutError(message)
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


@cache
def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Return the context, which takes a while to make: it reads all certificate authorities."""
    if ca_bundle is None:
        context = ssl.create_default_context()
    else:
        file, folder = (None, ca_bundle) if os.path.isdir(ca_bundle) else (ca_bundle, None)
        try:
            context = ssl.create_default_context(cafile=file, capath=folder)
        except OSError as error:
            message = f"the certificate authorities cannot be read from AWS_CA_BUNDLE: {type(error).__name__}"
            raise SettingsError(message) from error
    context.sslsocket_class = _TlsSocket
    return context


def _proxy(host: str) -> tuple[str, int, dict[str, str]] | None:
    """Return the host, port and headers of the proxy that the environment names for a host."""
    if not any(name.lower() == "https_proxy" for name in os.environ):
        return None
    from base64 import b64encode
    from urllib.parse import unquote, urlsplit
    from urllib.request import getproxies, proxy_bypass

    url = getproxies().get("https")
    if not url or proxy_bypass(host):
        return None
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme != "http" or not parts.hostname:
        message = "HTTPS_PROXY names no proxy that can be used; it must be like http://proxy.example.com:3128"
        raise SettingsError(message)
    if parts.username is None:
        return parts.hostname, port or 80, {}
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return parts.hostname, port or 80, {"Proxy-Authorization": f"Basic {b64encode(user.encode()).decode()}"}
