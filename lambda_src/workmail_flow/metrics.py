"""The metrics that rule functions write to their log in CloudWatch's embedded metric format: names and dimensions."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

METRICS_NAMESPACE: Final = "WorkMailRules"
"""The CloudWatch namespace of all of them."""

METRICS_VARIABLE: Final = "WORKMAIL_METRICS"
"""The environment variable that turns them off, with the value `METRICS_OFF`."""

METRICS_OFF: Final = "off"

FUNCTION_DIMENSIONS: Final = ("FunctionName",)
"""The dimensions of what the runtime counts."""

STEP_DIMENSIONS: Final = ("FunctionName", "Step")
"""The dimensions of what a step counts."""

REPLIES: Final = {
    "DEFAULT": "RepliesDefault",
    "BOUNCE": "RepliesBounce",
    "DROP": "RepliesDrop",
    "MOVE_TO_JUNK": "RepliesMoveToJunk",
    "BYPASS_SPAM_CHECK": "RepliesBypassSpamCheck",
}
"""By a reply's action (R2), how many replies have it; a reply with two actions counts once for each."""

EDITS_MADE: Final = "EditsMade"
EDITS_REFUSED: Final = "EditsRefused"
"""Edits that WorkMail refused or would have; `EDITS_REFUSED_AS` says why."""

EDITS_REFUSED_AS: Final = {
    "MessageFrozen": "EditsRefusedFrozen",
    "MessageRejected": "EditsRefusedRejected",
}
"""By the service's error (C7, C8)."""

EDITS_FAILED: Final = "EditsFailed"
"""Edits that could not be put for another reason, such as a right that is missing or a service that did not answer."""

STEPS_SKIPPED: Final = "StepsSkipped"
"""Steps that were not run, since the message was not for them or nobody was left."""

STEPS_FAILED: Final = "StepsFailed"
"""Failures of steps, whether the mail went on without them or not: the sum of `FAILED` over all steps."""

COLD_STARTS: Final = "ColdStarts"
"""First invocations of a process."""

TIME_LEFT: Final = "TimeLeft"
"""Milliseconds until Lambda would have ended the function, when it answered."""

FAILED: Final = "Failed"
"""How often one step failed, whether the mail went on without it or not."""

LIMITED: Final = "Limited"
"""The metric of `LimitRate`: for how many recipients it has refused a message."""
