"""A handler folder that runs under a rule without CDK: a deployment of one function, for tests and quick starts."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workmail_flow.arns import (
    GET_CONTENT,
    INVOKE_FUNCTION,
    PUT_CONTENT,
    READ_UPDATED,
    message_arn,
    organization_arn,
    workmail_principal,
)
from workmail_flow.flow_rule import FlowRule
from workmail_flow.message_bucket import MESSAGE_BUCKET_VARIABLE
from workmail_flow.rule_set import RuleSet
from workmail_local.deployment import SEND_FAILED_EVENT, DeployedFunction, DeployedOrganization, Deployment
from workmail_local.state_file import read_state_file
from workmail_local.whole_file import write_whole_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_local.deployment import Statement

HANDLERS: Final = "handlers"
"""The folder of the state folder with one file per handler folder."""

DEFAULT_ORGANIZATION_ID: Final = "m-0123456789abcdef0123456789abcdef"
DEFAULT_MEMORY_MB: Final = 256
"""MiB, as much as the constructs give a function by default."""

_CONTENT_ACTIONS: Final = {"none": (), "read": (GET_CONTENT,), "update": (GET_CONTENT, PUT_CONTENT)}


class HandlerFolderError(ValueError):
    """A handler folder that cannot run under a rule; the message says what to fix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerFolder:
    """A folder with a handler, and the rule it runs under.

    Args:
        name: Name of the rule and of the function: up to 40 letters, digits and hyphens.
        folder: Holds the handler. It is not copied: an edit takes effect at the next cold start.
        handler: For example `app.handler`.
        include: Folders and modules to import from beside the folder; a relative path starts at the folder.
        direction: `INBOUND` or `OUTBOUND`.
        senders: The rule's sender patterns (F4).
        destinations: The rule's destination patterns; a synchronous rule takes only `*` (F12).
        synchronous: Whether the mail waits for the reply.
        fallback: Fallback action of a synchronous rule (F13).
        rule_timeout_minutes: Rule timeout of a synchronous rule, 0 to 240; 0 means no retry (F13, T3).
        content_access: What the function's role may do with message content: `none`, `read` or `update` (C1).
        environment: The function's variables.
        domains: The organization's domains.
        memory_mb: MiB.
        timeout_s: The function's own timeout, seconds.
        runtime: For example `python3.13`.
        permitted: Whether WorkMail may invoke the function (L4).
    """

    name: str
    folder: Path
    handler: str = "app.handler"
    include: tuple[str | Path, ...] = ()
    direction: str = "INBOUND"
    senders: tuple[str, ...] = ("*",)
    destinations: tuple[str, ...] = ("*",)
    synchronous: bool = True
    fallback: str = "DEFAULT"
    rule_timeout_minutes: int = 0
    content_access: str = "update"
    environment: Mapping[str, str] = field(default_factory=dict)
    domains: tuple[str, ...] = ("example.com",)
    organization_id: str = DEFAULT_ORGANIZATION_ID
    memory_mb: int = DEFAULT_MEMORY_MB
    timeout_s: float = 14.0
    runtime: str = "python3.13"
    permitted: bool = True

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise HandlerFolderError(f"folder: found {self.folder}; allowed is the folder that holds the handler")
        for given, path in zip(self.include, self.included, strict=True):
            if not path.exists():
                raise HandlerFolderError(
                    f"include: found {given}; allowed is a folder or module, and there is no {path}"
                )
        if not re.fullmatch(r"[A-Za-z0-9-]{1,40}", self.name):
            raise HandlerFolderError(f"name: found {self.name!r}; allowed are up to 40 letters, digits and hyphens")
        if self.content_access not in _CONTENT_ACTIONS:
            allowed = ", ".join(_CONTENT_ACTIONS)
            raise HandlerFolderError(f"content_access: found {self.content_access!r}; allowed are {allowed}")

    @property
    def included(self) -> tuple[Path, ...]:
        """The absolute paths of what is included."""
        return tuple((self.folder / path).resolve() for path in self.include)

    @property
    def bucket(self) -> str:
        """The bucket for updated messages."""
        return f"workmail-updates-{self.name.lower()}"

    def function_arn(self, *, region: str, account: str) -> str:
        """Return the ARN the rule names."""
        return f"arn:aws:lambda:{region}:{account}:function:{self.name}"

    def save(self, state: Path) -> None:
        """Write it to the state folder, where the local WorkMail reads it."""
        target = state / HANDLERS / f"{self.name}.json"
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        places = {"folder": str(self.folder.resolve()), "include": [str(path) for path in self.included]}
        fields = asdict(self) | places
        write_whole_file(target, json.dumps(fields, indent=2).encode())

    @staticmethod
    def forget_all(state: Path) -> None:
        """Remove every handler folder from the state folder; their own files stay."""
        for path in (state / HANDLERS).glob("*.json"):
            path.unlink()

    @classmethod
    def load_all(cls, state: Path) -> tuple[HandlerFolder, ...]:
        """Return every saved handler folder, ordered by name, without those whose folder is gone.

        Raises:
            StateFileError: A file is not one that this release saved.
        """
        remedy = "delete it and deploy the handler folder again"
        files = sorted((state / HANDLERS).glob("*.json"))
        found = (read_state_file(path, cls._from_json, remedy=remedy) for path in files)
        return tuple(one for one in found if one is not None)

    @classmethod
    def _from_json(cls, fields: dict[str, Any]) -> HandlerFolder | None:
        """Return the handler folder, or None if its folder is gone."""
        folder = Path(fields["folder"])
        read: dict[str, Any] = {key: tuple(fields[key]) for key in ("senders", "destinations", "domains")}
        read["folder"] = folder
        read["include"] = tuple(map(Path, fields["include"]))
        return cls(**fields | read) if folder.is_dir() else None

    def deployment(self, *, region: str, account: str, layers: tuple[Path, ...] = ()) -> Deployment:
        """Return the deployment of a stack with this function, its rule and least privilege.

        Raises:
            workmail_flow.rule_problems.RuleError: WorkMail would not take the rule.
        """
        arn = self.function_arn(region=region, account=account)
        role_arn = f"arn:aws:iam::{account}:role/{self.name}"
        updates = self.content_access == "update"
        rule = FlowRule.from_json(self._rule(arn))
        organization = DeployedOrganization(
            organization_id=self.organization_id, domains=self.domains, rules=RuleSet((rule,))
        )
        function = DeployedFunction(
            arn=arn,
            name=self.name,
            runtime=self.runtime,
            handler=self.handler,
            code=self.folder,
            layers=layers,
            environment=dict(self.environment) | ({MESSAGE_BUCKET_VARIABLE: self.bucket} if updates else {}),
            memory_mb=self.memory_mb,
            timeout_s=self.timeout_s,
            architecture="x86_64",
            role_arn=role_arn,
            on_failure_arn=self.on_failure_arn(region=region, account=account),
            max_retries=2,
            package_type="Zip",
        )
        return Deployment(
            stack=f"handler folder {self.name}",
            region=region,
            account=account,
            organizations=(organization,),
            functions={arn: function},
            function_policies={arn: (self._invoke_permission(arn, region, account),) if self.permitted else ()},
            role_policies={
                role_arn: (
                    *self._content_statements(rule, region, account),
                    {"Effect": "Allow", "Action": SEND_FAILED_EVENT["sqs"], "Resource": function.on_failure_arn},
                )
            },
            bucket_policies={self.bucket: (self._bucket_statement(region, account),)} if updates else {},
            outputs={},
            data_only=(),
        )

    def on_failure_arn(self, *, region: str, account: str) -> str:
        """Return the ARN of the queue for failed asynchronous invocations."""
        return f"arn:aws:sqs:{region}:{account}:{self.name}-failures"

    def _rule(self, arn: str) -> dict[str, Any]:
        rule: dict[str, Any] = {
            "name": self.name,
            "direction": self.direction.lower(),
            "action": "RUN_LAMBDA",
            "senders": list(self.senders),
            "destinations": list(self.destinations),
            "function": arn,
            "synchronous": self.synchronous,
        }
        if self.synchronous:
            rule |= {"fallback": self.fallback, "ruleTimeoutMinutes": self.rule_timeout_minutes}
        return rule

    def _invoke_permission(self, arn: str, region: str, account: str) -> Statement:
        source = organization_arn(self.organization_id, region=region, account=account)
        return {
            "Effect": "Allow",
            "Principal": {"Service": workmail_principal(region)},
            "Action": INVOKE_FUNCTION,
            "Resource": arn,
            "Condition": {"ArnLike": {"AWS:SourceArn": source}},
        }

    def _content_statements(self, rule: FlowRule, region: str, account: str) -> tuple[Statement, ...]:
        messages = message_arn(self.organization_id, region=region, account=account, direction=rule.direction)
        actions = _CONTENT_ACTIONS[self.content_access]
        return tuple({"Effect": "Allow", "Action": action, "Resource": messages} for action in actions)

    def _bucket_statement(self, region: str, account: str) -> Statement:
        messages = message_arn(self.organization_id, region=region, account=account)
        return {
            "Effect": "Allow",
            "Principal": {"Service": workmail_principal(region)},
            "Action": list(READ_UPDATED),
            "Resource": f"arn:aws:s3:::{self.bucket}/*",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": account},
                "Bool": {"aws:SecureTransport": "true"},
                "ArnLike": {"aws:SourceArn": messages},
            },
        }
