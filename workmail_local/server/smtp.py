"""Mail in: SMTP for what comes from outside, authenticated submission for what users send (RFC 5321, RFC 6409)."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import sqlite3
import warnings
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import MISSING, SMTP, AuthResult, LoginPassword

from workmail_flow import limits
from workmail_flow.vocabulary import FlowDirection
from workmail_local.email_flow.engine import Engine, RefusedError, Submission

if TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope, Session

_log = logging.getLogger(__name__)

# aiosmtpd logs addresses and, where asked to, credentials.
logging.getLogger("mail.log").setLevel(logging.ERROR)

SUBMISSION_USER = "workmail"

LONGEST_LINE = 1024 * 1024
"""Inbound mail often breaks the 1,000 bytes of RFC 5321 (C9); WorkMail takes it all the same."""


_ATOM = r"[A-Za-z0-9!#$%&'*+/=^_`{|}~-]+"
_PLAIN_PATH = re.compile(rf"<({_ATOM}(?:\.{_ATOM})*@{_ATOM}(?:\.{_ATOM})*)>(?: +([A-Za-z].*))?")
"""A path in the form nearly all have, and what follows it."""


class _Smtp(SMTP):
    line_length_limit = LONGEST_LINE

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        # aiosmtpd reads addresses with `email`'s header parser, which is a tenth of what a message costs.
        plain = _PLAIN_PATH.fullmatch(arg)
        return (plain[1], plain[2] or "") if plain else super()._getaddr(arg)


class _Handler:
    """One of the two ports, as aiosmtpd's hooks."""

    def __init__(self, engine: Engine, direction: FlowDirection, source: str) -> None:
        self._engine = engine
        self._direction = direction
        self._source = source

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str | None, options: list[str]
    ) -> str:
        refusal = self._engine.refuse_sender(self._direction, address or "")
        if refusal is not None:
            return str(refusal)
        envelope.mail_from = address or ""
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
                Submission(self._source, self._direction, envelope.mail_from or "", envelope.rcpt_tos, content)
            )
        except RefusedError as error:
            return str(error)
        except (OSError, sqlite3.Error):
            _log.exception("a message could not be kept, so it was not accepted")
            return "452 4.3.1 the message could not be written to disk; try again later"
        return f"250 2.0.0 {message.id} is on disk"


class SmtpPorts:
    """Both ports, on 127.0.0.1 only.

    Args:
        engine: Takes the mail.
        password: Of `SUBMISSION_USER` on the submission port.
    """

    def __init__(self, engine: Engine, *, password: str) -> None:
        self._engine = engine
        self._password = password
        self._servers: list[asyncio.Server] = []

    async def start(self, *, smtp_port: int, submission_port: int) -> tuple[int, int]:
        """Listen (port 0: any free one) and return both ports."""
        inbound = _Handler(self._engine, FlowDirection.INBOUND, "smtp")
        outbound = _Handler(self._engine, FlowDirection.OUTBOUND, "submission")
        smtp = await self._listen(smtp_port, inbound)
        submission = await self._listen(
            submission_port,
            outbound,
            authenticator=self._authenticate,
            auth_required=True,
            # Loopback only: a certificate nobody trusts would protect nothing.
            auth_require_tls=False,
        )
        return smtp, submission

    async def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()
            await server.wait_closed()

    async def _listen(self, port: int, handler: _Handler, **options: Any) -> int:
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
                    **options,
                )

        server = await loop.create_server(protocol, "127.0.0.1", port)
        self._servers.append(server)
        bound: int = server.sockets[0].getsockname()[1]
        return bound

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
