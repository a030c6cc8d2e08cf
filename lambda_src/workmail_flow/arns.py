"""How IAM names WorkMail's things: ARNs, service principals, actions (L3-L5, C1, C3). Parts may be CDK tokens."""

from __future__ import annotations

from workmail_flow.assumptions import MAX_FUNCTION_QUALIFIERS
from workmail_flow.limits import WORKMAIL_PARTITION, WORKMAIL_REGIONS
from workmail_flow.vocabulary import FlowDirection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

INVOKE_FUNCTION: Final = "lambda:InvokeFunction"
"""What WorkMail does with a rule's function (L4)."""

UNPUBLISHED: Final = "$LATEST"
"""The version of a function's newest code and configuration, as Lambda names it."""

GET_CONTENT: Final = "workmailmessageflow:GetRawMessageContent"
PUT_CONTENT: Final = "workmailmessageflow:PutRawMessageContent"
"""What a function may do with a message's content (C1)."""

LIST_ORGANIZATIONS: Final = "workmail:ListOrganizations"
"""What it takes to find an organization by its alias (L8)."""

DESCRIBE_EVENT_LOGGING: Final = "workmail:DescribeEmailMonitoringConfiguration"
PUT_EVENT_LOGGING: Final = "workmail:PutEmailMonitoringConfiguration"
DELETE_EVENT_LOGGING: Final = "workmail:DeleteEmailMonitoringConfiguration"
"""What it takes to turn an organization's email event logging on and off (W2)."""

EVENT_LOGGING_PRINCIPAL: Final = "events.workmail.amazonaws.com"
"""The service principal that writes email events to a log group, with the role that it is given (W2)."""

READ_UPDATED: Final = ("s3:GetObject", "s3:GetObjectVersion")
"""What WorkMail does with the objects that hold updated messages (C5)."""

MESSAGE_CONTEXTS: Final = {FlowDirection.INBOUND: "incoming", FlowDirection.OUTBOUND: "outgoing"}
"""The word for a direction in a message's ARN (C3)."""


def workmail_principal(region: str) -> str:
    """Return the service principal that WorkMail of a Region calls as (L4)."""
    return f"workmail.{region}.amazonaws.com"


def organization_arn(organization_id: str, *, region: str, account: str) -> str:
    """Return an organization's ARN (L3), the source ARN of WorkMail's invocations (L4)."""
    return f"arn:{WORKMAIL_PARTITION}:workmail:{region}:{account}:organization/{organization_id}"


def message_arn(
    organization_id: str, *, region: str, account: str, direction: FlowDirection | None = None, message_id: str = "*"
) -> str:
    """Return a message's ARN (C3).

    Without a message id it covers all messages of the direction, without a direction all of the organization, which is
    how WorkMail names itself when it reads a bucket (C5).
    """
    context = "" if direction is None else f"/{MESSAGE_CONTEXTS[direction]}"
    messages = f"arn:{WORKMAIL_PARTITION}:workmailmessageflow:{region}:{account}:message/{organization_id}"
    return f"{messages}{context}/{message_id}"


def is_known_arn(text: str) -> bool:
    """Whether text is an ARN in full: neither words nor an ARN with a `${…}` that only the deployment knows."""
    return text.startswith("arn:") and "${" not in text


def is_function_arn(arn: str) -> bool:
    """Whether an ARN is that of a function, or of its version or alias, in a Region of WorkMail (L1, L2)."""
    match arn.split(":"):
        case ["arn", partition, "lambda", region, account, "function", name, *qualifier]:
            return (
                partition == WORKMAIL_PARTITION
                and region in WORKMAIL_REGIONS
                and len(account) == 12
                and account.isdecimal()
                and bool(name)
                and len(qualifier) <= MAX_FUNCTION_QUALIFIERS
            )
    return False
