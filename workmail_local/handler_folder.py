"""A handler folder put under a rule without CDK: a deployment of one function, for tests and quick starts."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workmail_flow.flow_rule import FlowRule
from workmail_flow.rule_set import RuleSet
from workmail_local.deployment import DeployedFunction, DeployedOrganization, Deployment

if TYPE_CHECKING:
    from collections.abc import Mapping

HANDLERS = "handlers"
"""The folder of the state folder that keeps which handler folders are in place."""

DEFAULT_ORGANIZATION_ID = "m-0123456789abcdef0123456789abcdef"
_ACCESS = ("none", "read", "update")


class HandlerFolderError(ValueError):
    """A handler folder that cannot be put under a rule; the message says what to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerFolder:
    """A folder with a handler, and the rule it runs under.

    Args:
        name: Of the rule and the function.
        folder: Holds the handler; it runs where it lies, so that an edit counts with the next cold start.
        handler: For example `app.handler`.
        direction: `INBOUND` or `OUTBOUND`.
        senders: Patterns of the rule (F4).
        destinations: Patterns of the rule; a synchronous one takes only `*` (F12).
        synchronous: Whether the mail waits for the answer.
        fallback: Of a synchronous rule (F13).
        rule_timeout_minutes: Of a synchronous rule; 0 to 240, 0 means no retry (F13, T3).
        content_access: `none`, `read` or `update`; as the function's role is allowed (C1).
        environment: The function's variables.
        domains: The organization's.
        memory_mb: MiB.
        timeout_s: The function's own timeout, seconds.
        runtime: For example `python3.13`.
        permitted: Whether WorkMail may invoke the function (L4).
    """

    name: str
    folder: Path
    handler: str = "app.handler"
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
    memory_mb: int = 256
    timeout_s: float = 14.0
    runtime: str = "python3.13"
    permitted: bool = True

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise HandlerFolderError(f"folder: found {self.folder}; allowed is the folder that holds the handler")
        if not re.fullmatch(r"[A-Za-z0-9-]{1,40}", self.name):
            raise HandlerFolderError(f"name: found {self.name!r}; allowed are up to 40 letters, digits and hyphens")
        if self.content_access not in _ACCESS:
            raise HandlerFolderError(f"content_access: found {self.content_access!r}; allowed are {', '.join(_ACCESS)}")

    @property
    def python_version(self) -> tuple[int, int]:
        """Major and minor version of the runtime; that of no Python for another runtime, which will not run here."""
        minor = self.runtime.removeprefix("python3.")
        return 3, int(minor) if minor.isdecimal() else 0

    @property
    def bucket(self) -> str:
        """The bucket updated messages go to."""
        return f"workmail-updates-{self.name.lower()}"

    def function_arn(self, *, region: str, account: str) -> str:
        """Return the ARN the rule names."""
        return f"arn:aws:lambda:{region}:{account}:function:{self.name}"

    def save(self, state: Path) -> None:
        """Note it where the local WorkMail reads it."""
        target = state / HANDLERS / f"{self.name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        fields = asdict(self) | {"folder": str(self.folder.resolve())}
        unfinished = target.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(fields, indent=2))
        unfinished.replace(target)

    @staticmethod
    def forget_all(state: Path) -> None:
        """Take every handler folder out of place."""
        for path in (state / HANDLERS).glob("*.json"):
            path.unlink()

    @classmethod
    def load_all(cls, state: Path) -> tuple[HandlerFolder, ...]:
        """Return every handler folder in place, by name; one whose folder is gone is in place no more."""
        found = []
        for path in sorted((state / HANDLERS).glob("*.json")):
            fields = json.loads(path.read_text())
            lists = {key: tuple(fields[key]) for key in ("senders", "destinations", "domains")}
            if Path(fields["folder"]).is_dir():
                found.append(cls(**fields | lists | {"folder": Path(fields["folder"])}))
        return tuple(found)

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

    def deployment(self, *, region: str, account: str, layers: tuple[Path, ...] = ()) -> Deployment:
        """Return what a stack with this function, its rule and least privilege would have deployed.

        Raises:
            workmail_flow.rule_problems.RuleError: The rule is not one WorkMail would take.
        """
        arn = self.function_arn(region=region, account=account)
        role_arn = f"arn:aws:iam::{account}:role/{self.name}"
        updates = self.content_access == "update"
        rules = RuleSet((FlowRule.from_json(self._rule(arn)),))
        function = DeployedFunction(
            arn=arn,
            name=self.name,
            runtime=self.runtime,
            handler=self.handler,
            code=self.folder,
            layers=layers,
            environment=dict(self.environment) | ({"WORKMAIL_MESSAGE_BUCKET": self.bucket} if updates else {}),
            memory_mb=self.memory_mb,
            timeout_s=self.timeout_s,
            architecture="x86_64",
            role_arn=role_arn,
            on_failure_arn=self.on_failure_arn(region=region, account=account),
            max_retries=2,
            package_type="Zip",
        )
        messages = f"arn:aws:workmailmessageflow:{region}:{account}:message/{self.organization_id}/*"
        return Deployment(
            stack=f"handler folder {self.name}",
            region=region,
            account=account,
            organizations=(
                DeployedOrganization(organization_id=self.organization_id, domains=self.domains, rules=rules),
            ),
            functions={arn: function},
            function_policies={arn: (self._invoke_permission(arn, region, account),) if self.permitted else ()},
            role_policies={role_arn: self._content_rights(messages)},
            bucket_policies={self.bucket: (self._bucket_statement(messages, region, account),)} if updates else {},
            outputs={},
            data_only=(),
        )

    def on_failure_arn(self, *, region: str, account: str) -> str:
        """Return the ARN of the queue that an asynchronous function's failures go to."""
        return f"arn:aws:sqs:{region}:{account}:{self.name}-failures"

    def _invoke_permission(self, arn: str, region: str, account: str) -> dict[str, Any]:
        source = f"arn:aws:workmail:{region}:{account}:organization/{self.organization_id}"
        return {
            "Effect": "Allow",
            "Principal": {"Service": f"workmail.{region}.amazonaws.com"},
            "Action": "lambda:InvokeFunction",
            "Resource": arn,
            "Condition": {"ArnLike": {"AWS:SourceArn": source}},
        }

    def _content_rights(self, messages: str) -> tuple[dict[str, Any], ...]:
        actions = {"none": [], "read": ["Get"], "update": ["Get", "Put"]}[self.content_access]
        return tuple(
            {"Effect": "Allow", "Action": f"workmailmessageflow:{action}RawMessageContent", "Resource": messages}
            for action in actions
        )

    def _bucket_statement(self, messages: str, region: str, account: str) -> dict[str, Any]:
        return {
            "Effect": "Allow",
            "Principal": {"Service": f"workmail.{region}.amazonaws.com"},
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": f"arn:aws:s3:::{self.bucket}/*",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": account},
                "Bool": {"aws:SecureTransport": "true"},
                "ArnLike": {"aws:SourceArn": messages},
            },
        }
