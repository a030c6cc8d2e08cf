"""docs/cdk-nag.md: what cdk-nag finds in an app with each kind of rule, and why it stays."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.constructs.pages import WRITE, table
from tests.constructs.stacks import ACCOUNT, ORGANIZATION_ID, REGION

if TYPE_CHECKING:
    from pathlib import Path

NAME = "cdk-nag.md"

PACKS = {"AwsSolutions": "AWS Solutions", "NIST.800.53.R5": "NIST 800-53 R5"}
"""The packs that are checked, by the name that cdk-nag gives each."""

_SHORT_LIVED = "The bucket is empty after a day; only the function puts into it, and only WorkMail reads it (C5)."

_NOTES_OF_A_DAY = (
    "The table of steps notes for a day what was done for an invocation, so that a retry does not do it again (E7); "
    "that of `LimitRate` notes what came in the last minutes. A restored note would be of mail that is delivered."
)

REASONS = {
    "AwsSolutions-IAM5[Resource::arn:aws:workmailmessageflow:REGION:ACCOUNT:message/ORGANIZATION_ID/incoming/*]": (
        "Ids of messages are not known before a message comes. The organization and the direction are named, which is "
        "the narrowest there is (C3)."
    ),
    "AwsSolutions-IAM5[Resource::<RuleMessageBucket.Arn>/*]": (
        "Keys of objects are not known at synth: each update has its own. The bucket is this function's only."
    ),
    "AwsSolutions-IAM5[Resource::*]": (
        "With `from_alias`: the action that lists organizations takes no resource (L8); a condition keeps it in the "
        "stack's Region. With `vpc`: the function's network interfaces do not exist yet. With `tracing`: X-Ray has no "
        "resources to name. With `Translate`: neither translating nor finding out a language takes one; a condition "
        "keeps both in the stack's Region."
    ),
    "AwsSolutions-L1": "Python 3.13 is the newest runtime that our tests run handlers under.",
    "AwsSolutions-S1": _SHORT_LIVED,
    "AwsSolutions-SQS3": (
        "The queue is where failed events end. cdk-nag does not see that it is an on-failure destination."
    ),
    "NIST.800.53.R5-CloudWatchLogGroupEncrypted": (
        "CloudWatch Logs encrypts every log group with a key of its own, and the runtime logs no address, subject or "
        "content; WorkMail's event log has addresses and subjects. `log_encryption_key` encrypts either with a KMS "
        "key, and the finding goes."
    ),
    "NIST.800.53.R5-IAMNoInlinePolicy": (
        "The policy is for this one role, and goes with it. A managed policy could be attached to other roles, which "
        "must not have these rights."
    ),
    "NIST.800.53.R5-LambdaConcurrency": (
        "Reserved concurrency is taken from all other functions of the account, so you decide: "
        "`reserved_concurrent_executions`. WorkMail tries a "
        "throttled invocation again until the rule timeout is over (T2)."
    ),
    "NIST.800.53.R5-LambdaDLQ": (
        "WorkMail itself tries a failed synchronous invocation again, and then takes the fallback action (T2). Failed "
        "events of an asynchronous rule go to its on-failure queue, which cdk-nag does not see."
    ),
    "NIST.800.53.R5-LambdaInsideVPC": (
        "The function takes no connections, and calls only the public endpoints of WorkMail and S3. In a VPC it needs "
        "a way to both. If your rule needs what is in a VPC, give it the `vpc`."
    ),
    "NIST.800.53.R5-S3BucketLoggingEnabled": _SHORT_LIVED,
    "NIST.800.53.R5-S3BucketReplicationEnabled": (
        "WorkMail reads from the bucket of its own Region only (C5), for the 24 hours a message is in transit (C2). A "
        "copy would only keep mail for longer."
    ),
    "NIST.800.53.R5-S3DefaultEncryptionKMS": (
        "S3's own key by default. `message_key` encrypts the bucket with a KMS key, and the finding goes."
    ),
    "AwsSolutions-IAM5[Resource::arn:aws:workmailmessageflow:REGION:ACCOUNT:message/ORGANIZATION_ID/outgoing/*]": (
        "The same, for outbound messages."
    ),
    "AwsSolutions-DDB3": _NOTES_OF_A_DAY,
    "NIST.800.53.R5-DynamoDBInBackupPlan": (
        f"{_NOTES_OF_A_DAY} With `AllowOrBlock`: which plan is yours to say. Its table keeps the changes of 35 days "
        "(point-in-time recovery), and stays when the stack is deleted."
    ),
    "NIST.800.53.R5-DynamoDBPITREnabled": _NOTES_OF_A_DAY,
    "AwsSolutions-IAM5[Resource::arn:aws:states:REGION:ACCOUNT:execution:Standard:*]": (
        "`AskStateMachine`: an execution is named by its invocation, which is not known before a message comes. The "
        "state machine is named, which is the narrowest there is."
    ),
    "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::archive/*]": (
        "With `SaveMessage`: each message has its own key. `prefix` narrows it to your prefix."
    ),
}
"""Why each finding stays; a name in brackets says what of a resource it is about."""

_INTRODUCTION = f"""\
# cdk-nag

This page is generated by `{WRITE}`, and a test compares it with what is found. It lists every finding of
[cdk-nag](https://github.com/cdklabs/cdk-nag) in an app with each kind of rule, and why it stays. The constructs
suppress nothing: accept in your app what you agree with. `Rule` is what `RunLambdaRule` makes, `Events` what
`EmailEventLogging` makes; `Existing` and
`UsersRole` are a function of the user's own that is given to a rule, and its role. Numbers in brackets are facts of
[What WorkMail does](workmail.md)."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, over all stacks of the checked app."""

    name: str
    says: str
    places: tuple[str, ...]


def findings(assembly: Path) -> dict[str, list[Finding]]:
    """Return what each pack finds in a cloud assembly."""
    reports = json.loads((assembly / "validation-report.json").read_text(encoding="utf-8"))["pluginReports"]
    return {report["pluginName"]: _merged(report["violations"]) for report in reports}


def page(assembly: Path) -> str:
    """Return the page for the checked app's cloud assembly."""
    chapters = [_INTRODUCTION]
    for pack, found in findings(assembly).items():
        rows = [
            (f"`{each.name.removeprefix(f'{pack}-')}`", each.says, ", ".join(each.places), REASONS.get(each.name, ""))
            for each in found
        ]
        chapters += [
            f"## {PACKS.get(pack, pack)}",
            table(["finding", "what cdk-nag says", "where", "why it stays"], rows),
        ]
    return "\n\n".join(chapters) + "\n"


def _merged(violations: list[dict[str, object]]) -> list[Finding]:
    says: dict[str, str] = {}
    places: dict[str, set[str]] = {}
    for violation in violations:
        name = _without_names(str(violation["ruleName"]))
        says[name] = str(violation["description"]).partition(" - (Control IDs")[0].removesuffix(".") + "."
        found = violation["violatingConstructs"]
        assert isinstance(found, list)
        for each in found:
            _, _, path = str(each["constructPath"]).partition("/")
            path = re.sub("(?<=/Rights)[0-9a-f]{8}", "", path.removesuffix("/Resource"))
            places.setdefault(name, set()).add(f"`{path}`")
    return [Finding(name, says[name], tuple(sorted(places[name]))) for name in sorted(says)]


def _without_names(name: str) -> str:
    """Name Region, account and organization as the docs do, and resources without the hash of their path."""
    for word, written in (
        ("REGION", (REGION, "<AWS::Region>")),
        ("ACCOUNT", (ACCOUNT, "<AWS::AccountId>")),
        ("ORGANIZATION_ID", (ORGANIZATION_ID,)),
    ):
        for each in written:
            name = name.replace(each, word)
    return re.sub(r"(?<=[a-z])[0-9A-F]{8}(?=\.)", "", name)
