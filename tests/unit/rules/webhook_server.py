"""A webhook on loopback, over TLS with a certificate authority of its own, that answers as a test says."""

from __future__ import annotations

import datetime
import json
import ssl
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from workmail_runtime.connection import tls_context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """One answer.

    Args:
        raw: Bytes to send instead of an HTTP answer.
        delay_s: The time before it, and with `raw` between its bytes.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    raw: bytes | None = None
    delay_s: float = 0


@dataclass(slots=True)
class WebhookServer:
    """What it got, and what it answers: in their order, the last one for all after it."""

    url: str
    authority: Path
    """The certificate to trust, a PEM file."""
    answers: list[WebhookAnswer] = field(default_factory=lambda: [WebhookAnswer()])
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """Path, headers and body of each request."""

    def answer(self, *answers: WebhookAnswer) -> None:
        self.answers[:] = answers

    @property
    def documents(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.posts]


@contextmanager
def running_webhook(folder: Path, *, host: str = "127.0.0.1") -> Iterator[WebhookServer]:
    """Serve while the context is open; the certificate is for 127.0.0.1 only."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.posts.append((self.path, headers, self.rfile.read(int(headers["content-length"]))))
            answer = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
            if answer.raw is None:
                time.sleep(answer.delay_s)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)
            else:
                size = 1 if answer.delay_s else 100_000
                for start in range(0, len(answer.raw), size):
                    self.wfile.write(answer.raw[start : start + size])
                    time.sleep(answer.delay_s)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """Say nothing of connections that the client closed."""

    authority, chain = _certificates(folder)
    http = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    http.socket = context.wrap_socket(http.socket, server_side=True)
    server = WebhookServer(f"https://{host}:{http.server_port}/hooks/T0?key=k", authority)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


@contextmanager
def trusted_webhook(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookServer]:
    """Serve, with the certificate's authority trusted as those of the system are."""
    with running_webhook(folder) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(server.authority))
        tls_context.cache_clear()
        try:
            yield server
        finally:
            tls_context.cache_clear()


def _certificates(folder: Path) -> tuple[Path, Path]:
    """Write the certificate of an authority, and a key with a certificate of it for 127.0.0.1.

    With all extensions that newer Pythons insist on.
    """
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    host_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "webhook")])
    now = datetime.datetime.now(datetime.UTC)

    def signed(name: x509.Name, public_key: Any, *extensions: tuple[x509.ExtensionType, bool]) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(root_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM)

    authority, chain = folder / "authority.pem", folder / "server.pem"
    root = signed(
        root_name,
        root_key.public_key(),
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (x509.KeyUsage(key_cert_sign=True, **dict.fromkeys(_OTHER_USES, False)), True),
    )
    host = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    authority.write_bytes(root)
    chain.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + signed(host_name, key.public_key(), (host, False), (x509.BasicConstraints(ca=False, path_length=None), True))
    )
    return authority, chain


_OTHER_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
