"""The local WorkMail over HTTP: JSON under /v1, and a stream of events.

docs/local.md lists the requests for users.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import shutil
import sqlite3
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from workmail_flow import limits
from workmail_flow.rule_problems import RuleError
from workmail_flow.template import TemplateError
from workmail_flow.vocabulary import FlowDirection
from workmail_local.email_flow.engine import NotInvocableError, RefusedError, Submission, UnknownFunctionError
from workmail_local.faults import Fault, FaultKind, FaultPlanError, read_fault_plan
from workmail_local.loopback import is_local_request
from workmail_local.mail.envelope import envelope_of
from workmail_local.mail.message_diff import diff_messages
from workmail_local.mail.readable_message import readable_message
from workmail_local.message_head import MAX_HEAD_BYTES, MessageHead
from workmail_local.server.page_files import PageFiles
from workmail_local.state_file import StateFileError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from workmail_local.access_keys import AccessKeys
    from workmail_local.email_flow.engine import Engine
    from workmail_local.faults import FaultPlan
    from workmail_local.mail.mailboxes import Mailboxes, OutboundSpool
    from workmail_local.records import Message
    from workmail_local.server.deployments import Deployments
    from workmail_local.server.reports import Reports
    from workmail_local.server.watchers import Watchers
    from workmail_local.store.store import Store

_log = logging.getLogger(__name__)

_MAX_LIST = 1000
_LONGEST_SEARCH = 200
_MOST_SEARCHED_WORDS = 8
_KEEP_ALIVE_S = 15.0
_SECRETS = frozenset({"submission_password", "token", "aws_access_key_id"})
"""What of `daemon.json` an answer does not repeat."""

_RAW_HEADERS = {
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
}
"""Of a message's bytes: a browser that opens their address must not show them as a page of this API."""


class ApiError(Exception):
    """A request that cannot be answered; the text tells its sender why."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The HTTP API of one local WorkMail.

    Args:
        state: The state folder; the other arguments are the running parts.
        ready: What `daemon.json` holds.
    """

    state: Path
    ready: dict[str, Any]
    keys: AccessKeys
    store: Store
    engine: Engine
    reports: Reports
    mailboxes: Mailboxes
    spool: OutboundSpool
    faults: FaultPlan
    deployments: Deployments
    watchers: Watchers
    page: PageFiles = field(default_factory=PageFiles)

    def application(self) -> web.Application:
        """Return the API as an aiohttp application."""
        # A message larger than WorkMail accepts must reach the engine, whose answer names the limit (F16).
        app = web.Application(client_max_size=limits.MAX_MIME_BYTES + 1024 * 1024, middlewares=[self._guarded])
        app.router.add_routes(
            [
                *self.page.routes(),
                web.get("/v1/status", self._status),
                web.get("/v1/accounts", self._accounts),
                web.post("/v1/messages", self._send),
                web.get("/v1/messages", self._messages),
                web.get("/v1/messages/{id}", self._message),
                web.get("/v1/messages/{id}/content", self._content),
                web.get("/v1/messages/{id}/readable", self._readable),
                web.get("/v1/messages/{id}/diff", self._diff),
                web.get("/v1/messages/{id}/logs", self._logs),
                web.post("/v1/messages/{id}/replay", self._replay),
                web.post("/v1/invocations", self._invoke),
                web.get("/v1/wait", self._wait),
                web.post("/v1/reset", self._reset),
                web.get("/v1/rules", self._rules),
                web.post("/v1/rules/test", self._test_rules),
                web.get("/v1/mailboxes", self._mailboxes),
                web.get("/v1/mailboxes/{address:.+}", self._mailbox),
                web.get("/v1/outbound", self._outbound),
                web.get("/v1/places/{place:.+}", self._place),
                web.get("/v1/faults", self._faults),
                web.put("/v1/faults", self._replace_faults),
                web.post("/v1/faults", self._add_fault),
                web.delete("/v1/faults", self._clear_faults),
                web.post("/v1/deployments/reload", self._reload),
                web.get("/v1/events", self._events),
            ]
        )
        return app

    async def _status(self, _request: web.Request) -> web.Response:
        deployed = self.deployments.now
        organizations = [
            {
                "organizationId": organization.organization_id,
                "domains": sorted(organization.domains),
                "rules": len(organization.rules),
            }
            for organization in deployed.organizations.values()
        ]
        return web.json_response(
            {name: value for name, value in self.ready.items() if name not in _SECRETS}
            | {
                "stacks": deployed.stacks,
                "organizations": organizations,
                "inFlight": self.engine.in_flight(),
                "counts": self.store.counts(),
                "faults": len(self.faults.to_json()),
            }
        )

    async def _accounts(self, _request: web.Request) -> web.Response:
        own = self.ready["account"]
        keys = {account: self.keys.of_account(account) for account in self.deployments.now.accounts}
        return web.json_response({"accounts": keys | {own: self.keys.developer}})

    # Messages

    async def _send(self, request: web.Request) -> web.Response:
        direction = _direction(request.query.get("direction", "INBOUND"))
        content = await asyncio.to_thread(crlf, await request.read())
        envelope = envelope_of(
            content,
            mail_from=request.query.get("mailFrom"),
            recipients=request.query.getall("rcpt", []),
            direction=direction.value.lower(),
            domains=[name for one in self.deployments.now.organizations.values() for name in sorted(one.domains)],
        )
        if not envelope.recipients:
            raise ApiError("rcpt: found none, and To, Cc and Bcc name no address; give each envelope recipient")
        message = await self._accept(Submission("api", direction, envelope.mail_from, envelope.recipients, content))
        return web.json_response(
            {
                "id": message.id,
                "mailFrom": envelope.mail_from,
                "recipients": envelope.recipients,
                "notes": envelope.notes,
            },
            status=202,
        )

    async def _messages(self, request: web.Request) -> web.Response:
        limit = _limit(request)
        before = _number(request, "before", 0) or None
        words = _search_words(request)
        if words:
            found = await self.store.search(words, limit=limit, before=before)
        else:
            found = self.store.messages(limit=limit, before=before)
        return web.json_response({"messages": [self.reports.summary(message, seq=seq) for seq, message in found]})

    async def _message(self, request: web.Request) -> web.Response:
        return web.json_response(self.reports.detail(self._find(request)))

    async def _content(self, request: web.Request) -> web.Response:
        return await _raw(self._version(request))

    async def _readable(self, request: web.Request) -> web.Response:
        return web.json_response(await asyncio.to_thread(_readable_file, self._version(request)))

    def _version(self, request: web.Request) -> Path:
        version = request.query.get("version", "delivered")
        if version not in {"original", "updated", "delivered"}:
            raise ApiError(f"version: found {version!r}; allowed are original, updated, delivered")
        self._find(request)
        return self.store.content_path(
            request.match_info["id"], original=version == "original", delivered=version == "delivered"
        )

    async def _diff(self, request: web.Request) -> web.Response:
        changes = []
        for flow in self.store.flows(self._find(request)):
            before = self.store.content_path(flow.id, original=True)
            after = self.store.content_path(flow.id, delivered=True)
            if before != after:
                diff = await asyncio.to_thread(_diff_files, before, after)
                changes.append({"messageId": flow.id, "diff": diff})
        return web.json_response({"changes": changes})

    async def _logs(self, request: web.Request) -> web.Response:
        return web.json_response({"logs": self.reports.logs(self._find(request))})

    async def _replay(self, request: web.Request) -> web.Response:
        message = self._find(request)
        content = await self.store.read(message.id, original=True)
        submission = Submission(
            f"replay of {message.id}", message.direction, message.mail_from, message.recipients, content
        )
        return web.json_response({"id": (await self._accept(submission)).id}, status=202)

    async def _invoke(self, request: web.Request) -> web.Response:
        asked = await _body(request)
        try:
            dry_run = asked.get("dryRun") is True
            await self.engine.invoke_again(str(asked.get("function")), asked.get("event"), dry_run=dry_run)
        except UnknownFunctionError as error:
            raise ApiError(str(error), status=404) from error
        except NotInvocableError as error:
            raise ApiError(str(error), status=422) from error
        return web.json_response({}, status=202)

    async def _wait(self, request: web.Request) -> web.Response:
        message_id = request.query.get("message")
        if message_id is not None and self.store.message(message_id) is None:
            raise ApiError(f"there is no message {message_id}", status=404)
        timeout_s = float(_number(request, "timeout", 60))
        done = await self.engine.wait(message_id, timeout_s=timeout_s)
        return web.json_response({"done": done}, status=200 if done else 408)

    async def _accept(self, submission: Submission) -> Message:
        try:
            return await self.engine.accept(submission)
        except RefusedError as refused:
            raise ApiError(f"WorkMail does not accept this message: {refused}", status=422) from refused

    def _find(self, request: web.Request) -> Message:
        message = self.store.message(request.match_info["id"])
        if message is None:
            raise ApiError(f"there is no message {request.match_info['id']}", status=404)
        return message

    # Rules, mailboxes, faults

    async def _rules(self, _request: web.Request) -> web.Response:
        organizations = [
            {
                "organizationId": organization.organization_id,
                "region": organization.region,
                "domains": sorted(organization.domains),
                "rules": organization.rules.to_json()["rules"],
            }
            for organization in self.deployments.now.organizations.values()
        ]
        return web.json_response({"organizations": organizations})

    async def _test_rules(self, request: web.Request) -> web.Response:
        """Answer as the console's Test does: one sender, one recipient (F14)."""
        asked = await _body(request)
        direction = _direction(asked.get("direction", "INBOUND"))
        sender, recipient = asked.get("sender"), asked.get("recipient")
        if not isinstance(sender, str) or not isinstance(recipient, str):
            raise ApiError("the body is {direction, sender, recipient}, both full addresses (F14)")
        owner = recipient if direction is FlowDirection.INBOUND else sender
        organization = self.deployments.now.organization_of(owner)
        if organization is None:
            raise ApiError(f"no deployed organization has the domain of {owner}", status=404)
        decision = organization.rules.decide(direction=direction, sender=None, from_=sender, recipient=recipient)
        return web.json_response(
            {
                "organizationId": organization.organization_id,
                "rule": decision.rule.name if decision.rule else None,
                "action": decision.action.value,
                "reason": decision.reason,
                "lost": [{"rule": lost.rule.name, "reason": lost.reason} for lost in decision.lost],
            }
        )

    async def _mailboxes(self, _request: web.Request) -> web.Response:
        def listed() -> list[dict[str, Any]]:
            found = []
            for address in self.mailboxes.addresses():
                counts = Counter(mail.folder for mail in self.mailboxes.mails(address))
                found.append({"address": address, "inbox": counts["inbox"], "junk": counts["junk"]})
            return found

        return web.json_response({"mailboxes": await asyncio.to_thread(listed)})

    async def _mailbox(self, request: web.Request) -> web.Response:
        address = request.match_info["address"]
        limit = _limit(request) if "limit" in request.query else None

        def listed() -> dict[str, Any]:
            mails = [
                {"folder": mail.folder, "path": str(mail.path), "seen": mail.seen}
                for mail in self.mailboxes.mails(address)
            ]
            if limit is None:
                return {"mails": mails, "total": len(mails)}
            # A Maildir name begins with the time.
            mails.sort(key=lambda mail: str(mail["path"]).rpartition("/")[2], reverse=True)
            shown = [mail | self._head(self.state / str(mail["path"])) for mail in mails[:limit]]
            return {"mails": shown, "total": len(mails)}

        return web.json_response(await asyncio.to_thread(listed))

    async def _outbound(self, request: web.Request) -> web.Response:
        limit = _limit(request)

        def listed() -> dict[str, Any]:
            files = self.spool.files()
            shown = [
                {"path": str(file.relative_to(self.state)), **self._head(file), **self.spool.envelope(file)}
                for file in files[:limit]
            ]
            return {"mails": shown, "total": len(files)}

        return web.json_response(await asyncio.to_thread(listed))

    def _head(self, file: Path) -> dict[str, Any]:
        try:
            with file.open("rb") as opened:
                head = MessageHead.parse(opened.read(MAX_HEAD_BYTES))
                return {"subject": head.subject, "from": head.from_, "size": opened.seek(0, os.SEEK_END)}
        except FileNotFoundError:  # a mail reader has moved or deleted it since
            return {"subject": "", "from": "", "size": 0}

    async def _place(self, request: web.Request) -> web.Response:
        """Answer a mail where it was delivered, or what a reader sees of it."""
        place = request.match_info["place"]
        file = await asyncio.to_thread(self._mail_file, place)
        if file is None:
            raise ApiError(f"there is no mail {place}", status=404)
        if request.query.get("as") == "readable":
            return web.json_response(await asyncio.to_thread(_readable_file, file))
        return await _raw(file)

    def _mail_file(self, place: str) -> Path | None:
        """Return the file of a mail in a mailbox or the spool, wherever links in the state folder lead."""
        roots = [(self.state / folder).resolve() for folder in ("mailboxes", "outbound")]
        with suppress(OSError, ValueError):  # a name that no file can have
            file = (self.state / place).resolve()
            if file.is_file() and any(file.is_relative_to(root) for root in roots):
                return file
        return None

    async def _faults(self, _request: web.Request) -> web.Response:
        kinds = [{"fault": kind.value, "effect": kind.effect} for kind in FaultKind]
        return web.json_response({"faults": self.faults.to_json(), "kinds": kinds})

    async def _replace_faults(self, request: web.Request) -> web.Response:
        self.faults.replace(read_fault_plan(await request.text()))
        return await self._faults(request)

    async def _add_fault(self, request: web.Request) -> web.Response:
        self.faults.add(Fault.from_json(await _body(request)))
        return await self._faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self.faults.replace(())
        return await self._faults(request)

    # Everything

    async def _reset(self, _request: web.Request) -> web.Response:
        await self.engine.stop()
        await self.store.reset()
        for folder in ("mailboxes", "outbound"):
            await asyncio.to_thread(shutil.rmtree, self.state / folder, ignore_errors=True)
        self.mailboxes.forget()
        self.watchers.publish({"type": "reset"})
        return web.json_response({})

    async def _reload(self, _request: web.Request) -> web.Response:
        try:
            await self.deployments.load()
        except RuleError as error:
            raise ApiError(f"the deployed rules conflict: {error}", status=409) from error
        except (StateFileError, TemplateError) as error:
            raise ApiError(str(error), status=409) from error
        stacks = self.deployments.now.stacks
        self.watchers.publish({"type": "deployed", "stacks": stacks})
        return web.json_response({"stacks": stacks, "resumed": self.engine.resume()})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        await response.prepare(request)
        with self.watchers.watching() as queue:
            line = ": watching"
            with suppress(ConnectionError):
                while True:
                    await response.write(f"{line}\n\n".encode())
                    try:
                        event = await asyncio.wait_for(queue.get(), _KEEP_ALIVE_S)
                        line = f"event: {event['type']}\ndata: {json.dumps(event)}"
                    except TimeoutError:
                        line = ": still here"
        return response

    # Every request

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Let in who has the token, and no page of another site; answer errors as JSON."""
        if not is_local_request(request.host, request.headers.get("Origin")):
            return _error("this API answers on loopback only", 403)
        if not self.page.has(request.path) and not self._has_token(request):
            return _error("this API needs its token: use the address that `workmail-flow local status` prints", 401)
        try:
            return await handler(request)
        except ApiError as error:
            return _error(str(error), error.status)
        except FaultPlanError as error:
            return _error(str(error), 400)
        except web.HTTPException as error:  # aiohttp's own: no such path, not this method, too large
            answer = _error(f"{request.method} {request.path}: {error.reason}", error.status)
            answer.headers.update({name: error.headers[name] for name in ("Allow",) if name in error.headers})
            return answer
        except (OSError, sqlite3.Error) as error:
            _log.exception("%s %s failed", request.method, request.match_info.route.resource)
            return _error(f"the local WorkMail could not read or write its state folder: {error}", 507)

    def _has_token(self, request: web.Request) -> bool:
        return hmac.compare_digest(_token(request).encode(errors="replace"), self.ready["token"].encode())


def crlf(content: bytes) -> bytes:
    """Return a message with the line breaks of SMTP, as a mail client would send a file that has LF alone."""
    if content.count(b"\n") == content.count(b"\r\n"):
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


async def _raw(file: Path) -> web.Response:
    content = await asyncio.to_thread(file.read_bytes)
    return web.Response(body=content, content_type="message/rfc822", headers=_RAW_HEADERS)


def _readable_file(file: Path) -> dict[str, Any]:
    return readable_message(file.read_bytes()).to_json()


def _diff_files(before: Path, after: Path) -> str:
    return diff_messages(before.read_bytes(), after.read_bytes())


def _token(request: web.Request) -> str:
    """Return the token that a request brings: a program's in a header, a browser's in the address of what it opens."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer":
        return token
    return request.query.get("token", "") if request.method == "GET" else ""


def _error(message: str, status: int) -> web.Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return web.json_response({"error": {"message": message}}, status=status, headers=headers)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.text())
    except (ValueError, RecursionError) as error:
        raise ApiError(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ApiError("the body must be a JSON object")
    return body


def _direction(text: object) -> FlowDirection:
    try:
        return FlowDirection(str(text).upper())
    except ValueError:
        raise ApiError(f"direction: found {text!r}; allowed are inbound, outbound") from None


def _search_words(request: web.Request) -> list[str]:
    text = request.query.get("q", "").replace("\0", " ")  # which would end a pattern
    if len(text) > _LONGEST_SEARCH:
        raise ApiError(f"q: found {len(text)} characters; allowed are {_LONGEST_SEARCH}")
    return text.split()[:_MOST_SEARCHED_WORDS]


def _limit(request: web.Request) -> int:
    return min(_number(request, "limit", 50), _MAX_LIST)


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise ApiError(f"{name}: found {text!r}; allowed is a whole number")
    return int(text)
