"""Who may read and update content: the caller's role policy, the bucket's policy, and the faults in the plan."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from workmail_flow.arns import GET_CONTENT, READ_UPDATED, message_arn, workmail_principal
from workmail_local.faults import GET_FAULTS, PUT_FAULTS, FaultKind, FaultPlan
from workmail_local.iam.questions import may_role, may_workmail_read_object
from workmail_local.message_flow.service import MessageFlowError, access_denied, invalid_location, not_found

if TYPE_CHECKING:
    from collections.abc import Callable

    from workmail_local.access_keys import AccessKeys
    from workmail_local.deployed import Deployed, Organization
    from workmail_local.deployment import DeployedFunction
    from workmail_local.message_flow.service import MessageFlowCall, ObjectLocation
    from workmail_local.records import MessageInTransit


class ContentPermissions:
    """Answers the message flow service's questions from what is deployed.

    Args:
        keys: The access keys of the developer and of the functions.
        deployed: Returns what is deployed now.
        faults: The faults to inject.
        rule_of: Returns the name of the rule that decides for a message id.
    """

    def __init__(
        self,
        *,
        keys: AccessKeys,
        deployed: Callable[[], Deployed],
        faults: FaultPlan,
        rule_of: Callable[[str], str | None],
    ) -> None:
        self._keys = keys
        self._deployed = deployed
        self._faults = faults
        self._rule_of = rule_of

    async def admit(self, call: MessageFlowCall) -> None:
        """Let a call pass, possibly after a wait; raise the MessageFlowError of a policy or a fault."""
        message = call.message
        fault = self._faults.take(
            GET_FAULTS if call.action == GET_CONTENT else PUT_FAULTS,
            rule=self._rule_of(message.message_id),
            flow_id=message.message_id,
        )
        if fault is not None:
            if fault.fault is FaultKind.SLOW_CONTENT:
                await asyncio.sleep(fault.seconds)
            else:
                raise _INJECTED[fault.fault]
        deployed = self._deployed()
        organization = deployed.organizations.get(message.organization_id)
        if organization is None or call.access_key_id == self._keys.developer:
            return
        function = self._caller(deployed, call.access_key_id)
        if function is None:
            raise access_denied("The function that calls is not deployed")
        access = may_role(
            deployed.role_policies,
            role_arn=function.role_arn,
            action=call.action,
            resource=message.arn(region=organization.region, account=organization.account),
            region=organization.region,
        )
        if not access.allowed:
            raise access_denied(
                f"{function.role_arn} is not authorized to perform {call.action} on the message: {access.reason}"
            )

    def check_put(self, message: MessageInTransit, location: ObjectLocation) -> str | None:
        """Return why WorkMail may not read the object an update lies in (C5), or None."""
        deployed = self._deployed()
        organization = deployed.organizations.get(message.organization_id)
        if organization is None:
            return None
        if location.bucket not in deployed.bucket_policies:
            return f"no deployed stack gives bucket {location.bucket} a policy; {_wanted(organization)}"
        access = may_workmail_read_object(
            deployed.bucket_policies,
            bucket=location.bucket,
            key=location.key,
            message_arn=message.arn(region=organization.region, account=organization.account),
        )
        if access.allowed:
            return None
        refused = f"the policy of bucket {location.bucket} does not let WorkMail read: {access.reason}"
        return f"{refused}; {_wanted(organization)}"

    def _caller(self, deployed: Deployed, key_id: str) -> DeployedFunction | None:
        of_function = self._keys.of_function
        return next((function for arn, function in deployed.functions.items() if of_function(arn) == key_id), None)


def _wanted(organization: Organization) -> str:
    region, account = organization.region, organization.account
    messages = message_arn(organization.organization_id, region=region, account=account)
    return (
        f"it must allow {workmail_principal(region)} {' and '.join(READ_UPDATED)} on its objects, with "
        f"aws:SourceAccount {account}, aws:SecureTransport true and aws:SourceArn like {messages} (C5)"
    )


_INJECTED = {
    FaultKind.CONTENT_NOT_FOUND: not_found("The fault plan made the message unknown"),
    FaultKind.FROZEN: MessageFlowError("MessageFrozen", "The fault plan froze the message"),
    FaultKind.REJECTED: MessageFlowError("MessageRejected", "The fault plan rejected the content"),
    FaultKind.S3_REFUSED: invalid_location("the fault plan refused the object"),
}
