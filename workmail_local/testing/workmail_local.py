"""The local WorkMail in tests: deploy, send, look at the outcome."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workmail_local.directory import save_directory
from workmail_local.mail.envelope import envelope_of
from workmail_local.server.daemon import Daemon

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class DeployFailedError(Exception):
    """The app could not be deployed; the text says why, and holds the output of the CDK CLI."""


@dataclass(frozen=True, slots=True)
class RecipientOutcome:
    """What happened to one recipient.

    Args:
        action: For example `DEFAULT`, `DROP`, `BOUNCE`, `MOVE_TO_JUNK`, `BYPASS_SPAM_CHECK`; None while undecided.
        why: Which rule, which part of the reply, or which failure decided.
        rule: Name of the rule; None if none matched.
        added: Whether the reply added the recipient, as Bcc (R6).
        place: File of the message, or of its bounce; None if there is none.
    """

    recipient: str
    action: str | None
    why: str
    rule: str | None
    bounce_message: str | None
    added: bool
    place: Path | None


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that went through the rules.

    Args:
        detail: Everything, as `workmail-flow local show --json` prints it.
        content: The delivered content: updated, or as it was sent.
    """

    detail: Mapping[str, Any]
    content: bytes
    _state: Path

    @property
    def id(self) -> str:
        """The message's id."""
        return str(self.detail["id"])

    @property
    def succeeded(self) -> bool:
        """Whether every rule's function succeeded, possibly after retries."""
        return bool(self.detail["succeeded"])

    @property
    def actions(self) -> dict[str, str | None]:
        """The action for each recipient."""
        return {one["recipient"]: one["action"] for one in self.detail["recipients"]}

    @property
    def outcomes(self) -> tuple[RecipientOutcome, ...]:
        """What happened to each recipient."""
        return tuple(
            RecipientOutcome(
                one["recipient"],
                one["action"],
                one["why"],
                one["rule"],
                one["bounceMessage"],
                one["added"],
                self._state / one["place"] if one["place"] else None,
            )
            for one in self.detail["recipients"]
        )

    @property
    def events(self) -> tuple[dict[str, Any], ...]:
        """The event of each rule's function."""
        return tuple(flow["event"] for flow in self.detail["flows"] if flow["event"])

    @property
    def attempts(self) -> tuple[dict[str, Any], ...]:
        """Every invocation, in order."""
        return tuple(attempt for flow in self.detail["flows"] for attempt in flow["attempts"])

    @property
    def logs(self) -> str:
        """What the functions wrote."""
        return "".join(attempt["log"] for attempt in self.attempts)

    @property
    def message(self) -> EmailMessage:
        """The delivered content, parsed."""
        return _parsed(self.content)


@dataclass(frozen=True, slots=True)
class WorkMailLocal:
    """A running local WorkMail.

    Args:
        daemon: Its process and API.
        time_scale: Seconds of WorkMail's waiting per real second.
    """

    daemon: Daemon
    time_scale: float

    @classmethod
    @contextmanager
    def running(cls, state: Path, *, time_scale: float = 1.0, region: str = "us-east-1") -> Iterator[WorkMailLocal]:
        """Run a local WorkMail with its own ports while the context is open."""
        daemon, _ = Daemon.start(state, ["--time-scale", str(time_scale), "--region", region])
        try:
            yield cls(daemon, time_scale)
        finally:
            daemon.stop()

    @property
    def state(self) -> Path:
        """Its state folder."""
        return self.daemon.state

    def client(self, service: str, *, account: str | None = None, **options: Any) -> Any:
        """Return a boto3 client of the local AWS, whose calls need no permission.

        Args:
            service: As boto3 names it; `workmailmessageflow` reads and updates the messages in transit.
            account: An account that a stack is deployed to; by default that of environment-agnostic stacks.
            **options: For `boto3.client`.

        Raises:
            ApiFailedError: No stack is deployed to that account.
        """
        return self.daemon.aws_client(service, account=account, **options)

    def set_directory(
        self,
        *,
        users: Sequence[Mapping[str, Any]] = (),
        groups: Sequence[Mapping[str, Any]] = (),
        domains: Sequence[str] = (),
    ) -> None:
        """Set who there is in the organization, for functions that read its directory (D1, D2).

        Args:
            users: Each with its `email` and, if it has some, `aliases`.
            groups: Each with its `email`, its `members` by their emails and, if it has some, `aliases`.
            domains: The mail domains; the first one is the default domain.

        Raises:
            ValueError: Something is not as described.
        """
        save_directory(self.state, {"users": list(users), "groups": list(groups), "domains": list(domains)})

    def deploy_handler(self, folder: Path, *, name: str = "rule", **rule: Any) -> None:
        """Run a handler folder under a rule, without CDK.

        Args:
            folder: Holds the handler and, if it needs one, a `requirements.txt` or `pyproject.toml`.
            name: Name of the rule and of the function.
            **rule: The other fields of `HandlerFolder`: `handler`, `include`, `direction`, `synchronous`, `fallback`,
                `rule_timeout_minutes`, `content_access`, `environment`, `domains`, …

        Raises:
            HandlerFolderError: It is no folder, or a value is not allowed.
            ApiFailedError: WorkMail would not accept the rule.
        """
        from workmail_local.handler_folder import HandlerFolder

        HandlerFolder(name=name, folder=folder, **rule).save(self.state)
        self.daemon.client.post("/v1/deployments/reload")

    def deploy_app(self, app: Path, *stacks: str) -> None:
        """Deploy a CDK app with the real CDK CLI; needs Node.js and the CLI.

        Args:
            app: Folder with its `cdk.json`, or a synthesized app.
            *stacks: Names of stacks; without one, all of the app's.

        Raises:
            DeployFailedError: It is not deployed as synthesized.
        """
        from workmail_local.aws.cdk import CdkError
        from workmail_local.server.local_app import DeployError, LocalApp

        with tempfile.TemporaryFile("w+") as output:
            try:
                problems = LocalApp.find(self.daemon, str(app), output=output).deploy(stacks).problems
            except (CdkError, DeployError) as error:
                problems = [str(error)]
            output.seek(0)
            if problems:
                raise DeployFailedError("\n".join((output.read(), *problems)))

    def send(
        self,
        message: bytes | Path | EmailMessage,
        *,
        direction: str = "inbound",
        mail_from: str | None = None,
        rcpt: Sequence[str] = (),
        timeout_s: float = 60.0,
    ) -> SentMessage:
        """Send a message and wait until its outcome is known.

        Args:
            message: The message or its file.
            direction: `inbound` or `outbound`.
            mail_from: Envelope sender; by default the message's From. "" is the null reverse-path.
            rcpt: Envelope recipients; by default those of To, Cc and Bcc.
            timeout_s: Seconds to wait at most.

        Raises:
            ApiFailedError: WorkMail does not accept the message.
            TimeoutError: The outcome was not known in time.
        """
        content = message.read_bytes() if isinstance(message, Path) else bytes(message)
        client = self.daemon.client
        envelope = envelope_of(
            content, direction=direction, domains=client.domains(), mail_from=mail_from, recipients=rcpt
        )
        message_id = client.send(
            content, direction=direction, mail_from=envelope.mail_from, recipients=envelope.recipients
        )
        return self.wait(message_id, timeout_s=timeout_s)

    def wait(self, message_id: str, *, timeout_s: float = 60.0) -> SentMessage:
        """Wait until a message's outcome is known, and return it; raises TimeoutError if that takes too long."""
        client = self.daemon.client
        if not client.wait(message_id, timeout_s=timeout_s):
            raise TimeoutError(f"message {message_id}: its outcome is not known after {timeout_s:g} s")
        return SentMessage(client.message(message_id), client.content(message_id), self.state)

    def inbox(self, address: str) -> list[EmailMessage]:
        """Return the messages in an inbox, in the order they came."""
        return self._folder(address, "inbox")

    def junk(self, address: str) -> list[EmailMessage]:
        """Return the messages in a junk folder, in the order they came."""
        return self._folder(address, "junk")

    def outbound(self) -> list[EmailMessage]:
        """Return what left the organization: outbound mail and bounces to senders outside."""
        spool = sorted((self.state / "outbound").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        return [_parsed(path.read_bytes()) for path in spool]

    def add_fault(self, fault: str, **scope: Any) -> None:
        """Make something fail from now on.

        Args:
            fault: For example `function-error`; `docs/local.md` lists them.
            **scope: `rule`, `times`, `messages`, `after`, `seconds`.
        """
        self.daemon.client.post("/v1/faults", {"fault": fault, **scope})

    def clear(self) -> None:
        """Remove mail, faults and handler folders; deployed stacks stay."""
        from workmail_local.handler_folder import HandlerFolder

        client = self.daemon.client
        client.post("/v1/faults", method="DELETE")
        client.post("/v1/reset")
        HandlerFolder.forget_all(self.state)
        client.post("/v1/deployments/reload")

    def _folder(self, address: str, folder: str) -> list[EmailMessage]:
        mails = self.daemon.client.get(f"/v1/mailboxes/{address}")["mails"]
        paths = [self.state / mail["path"] for mail in mails if mail["folder"] == folder]
        return [_parsed(path.read_bytes()) for path in paths]


def _parsed(content: bytes) -> EmailMessage:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)  # noqa: S101 - what the default policy makes
    return message
