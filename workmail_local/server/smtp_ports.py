"""Mail in: SMTP for mail from outside, authenticated submission for what users send (RFC 5321, RFC 6409)."""

from __future__ import annotations

import asyncio
import hmac
import logging
import sqlite3
import warnings
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, LoginPassword, syntax

from workmail_flow import limits
from workmail_flow.vocabulary import FlowDirection
from workmail_local.email_flow.engine import Engine, RefusedError, Submission
from workmail_local.server.data_reader import DataReader

if TYPE_CHECKING:
    import socket

    from aiosmtpd.smtp import Envelope, Session

_log = logging.getLogger(__name__)

# aiosmtpd logs addresses and, where asked to, credentials.
logging.getLogger("mail.log").setLevel(logging.ERROR)

SUBMISSION_USER = "workmail"

_MAX_FAILED_LOGINS = 3
"""Of one connection, which ends with the last."""

_FAILED_LOGIN_S = 0.5
"""Seconds before each refusal. Refusals wait for one another, over all connections; right passwords never wait."""

_NULL_PATH = "<>"
"""How aiosmtpd hands over the null reverse-path, from which bounces are sent (RFC 5321 section 4.5.5)."""


class _Smtp(SMTP):
    line_length_limit = 1024 * 1024
    """Bytes. Inbound mail often exceeds the 1,000 of RFC 5321 (C9), and WorkMail accepts it."""

    def __init__(self, *args: Any, refusals: asyncio.Lock, **options: Any) -> None:
        self._refusals = refusals
        self._failed_logins = 0
        super().__init__(*args, **options)

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        reader = self._reader
        self._reader = DataReader(reader)  # type: ignore[assignment]  # all that aiosmtpd calls there
        try:
            await super().smtp_DATA(arg)
        finally:
            self._reader = reader

    @syntax("AUTH <mechanism>")
    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        await super().smtp_AUTH(arg)
        if self.session is None or self.session.authenticated:
            return
        self._failed_logins += 1
        if self._failed_logins >= _MAX_FAILED_LOGINS and self.transport is not None:
            await self.push("421 4.7.0 too many failed logins")
            self.transport.close()

    async def auth_PLAIN(self, _: SMTP, args: list[str]) -> Any:  # noqa: N802 - aiosmtpd's name
        return await self._refused_slowly(await super().auth_PLAIN(_, args))

    async def auth_LOGIN(self, _: SMTP, args: list[str]) -> Any:  # noqa: N802 - aiosmtpd's name
        return await self._refused_slowly(await super().auth_LOGIN(_, args))

    async def _refused_slowly(self, result: Any) -> Any:
        if isinstance(result, AuthResult) and not result.success:
            async with self._refusals:
                await asyncio.sleep(_FAILED_LOGIN_S)
        return result


class _Handler:
    """The aiosmtpd hooks of one of the two ports."""

    def __init__(self, engine: Engine, direction: FlowDirection, source: str) -> None:
        self._engine = engine
        self._direction = direction
        self._source = source

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str | None, options: list[str]
    ) -> str:
        refusal = self._engine.refuse_sender(self._direction, _mail_from(address))
        if refusal is not None:
            return str(refusal)
        envelope.mail_from = address  # as it came: to aiosmtpd an empty one is no MAIL command
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= limits.MAX_RECIPIENTS:
            return f"452 4.5.3 {limits.MAX_RECIPIENTS} recipients are allowed (F16)"
        refusal = self._engine.refuse_recipient(self._direction, address)
        if refusal is not None:
            return str(refusal)
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content or b""
        if isinstance(content, str):  # only where aiosmtpd is asked to decode
            content = content.encode("utf-8", "surrogateescape")
        try:
            message = await self._engine.accept(
                Submission(self._source, self._direction, _mail_from(envelope.mail_from), envelope.rcpt_tos, content)
            )
        except RefusedError as error:
            return str(error)
        except (OSError, sqlite3.Error):
            _log.exception("a message could not be kept, so it was not accepted")
            return "452 4.3.1 the message could not be written to disk; try again later"
        return f"250 2.0.0 accepted as {message.id}"


def _mail_from(address: str | None) -> str:
    return "" if address is None or address == _NULL_PATH else address


class SmtpPorts:
    """The port for inbound mail and the one for outbound mail.

    Args:
        engine: Accepts the mail.
        password: Password of `SUBMISSION_USER` on the submission port.
    """

    def __init__(self, engine: Engine, *, password: str) -> None:
        self._engine = engine
        self._password = password
        self._refusals = asyncio.Lock()
        self._servers: list[asyncio.Server] = []

    async def start(self, *, smtp: socket.socket, submission: socket.socket) -> None:
        """Serve inbound mail on one listening socket and outbound mail on the other."""
        await self._serve(smtp, _Handler(self._engine, FlowDirection.INBOUND, "smtp"))
        await self._serve(
            submission,
            _Handler(self._engine, FlowDirection.OUTBOUND, "submission"),
            authenticator=self._authenticate,
            auth_required=True,
            # Loopback only: a certificate that nobody trusts would protect nothing.
            auth_require_tls=False,
        )

    async def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()
            await server.wait_closed()

    async def _serve(self, listener: socket.socket, handler: _Handler, **options: Any) -> None:
        loop = asyncio.get_running_loop()

        def protocol() -> SMTP:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # about auth_require_tls
                return _Smtp(
                    handler,
                    data_size_limit=limits.MAX_MIME_BYTES,
                    enable_SMTPUTF8=True,
                    hostname="localhost",
                    ident="workmail-flow local",
                    loop=loop,
                    refusals=self._refusals,
                    **options,
                )

        self._servers.append(await loop.create_server(protocol, sock=listener))

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, auth_data: object
    ) -> AuthResult:
        if mechanism not in {"LOGIN", "PLAIN"} or not isinstance(auth_data, LoginPassword):
            return AuthResult(success=False, handled=False)
        known = hmac.compare_digest(auth_data.login, SUBMISSION_USER.encode())
        right = hmac.compare_digest(auth_data.password, self._password.encode())
        return AuthResult(
            success=known and right, handled=False, auth_data=SUBMISSION_USER if known and right else MISSING
        )
