"""Turns an organization's email event logging on and off (W2) for a `Custom::WorkMailEmailEventLogging`.

A configuration that logs elsewhere is somebody else's: it is neither replaced, unless `Overwrite` says so, nor deleted.
"""

from __future__ import annotations

from workmail_custom_resources.custom_resource import (
    NOT_MADE,
    answer,
    error_code,
    in_time,
    once_it_counts,
    workmail,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What WorkMail may say of a log group, a role or a right that the same deployment has just made.
_NOT_YET = ("AccessDeniedException", "InvalidParameterException", "ResourceNotFoundException")

# There is nothing to turn off in an organization that is gone.
_GONE = ("OrganizationNotFoundException", "OrganizationStateException")

_SHOWN = 200  # characters of a log group's name in a reason, so that what to do is not cut off


def handler(event: dict[str, Any], context: Any) -> None:
    """Answer CloudFormation's request.

    The physical id is the organization's id: another organization is another resource, and CloudFormation deletes the
    former one.
    """
    answer(event, lambda: _respond(event, context))


def _respond(event: dict[str, Any], context: Any) -> tuple[str, dict[str, str]]:
    wanted = event["ResourceProperties"]
    organization_id = str(wanted["OrganizationId"])
    try:
        if event["RequestType"] == "Delete":
            in_time(lambda: _turn_off(wanted), context)
            return event["PhysicalResourceId"], {}
        in_time(lambda: _turn_on(wanted, event.get("OldResourceProperties", {})), context)
    except LookupError:
        raise
    except Exception as error:
        if event.get("PhysicalResourceId") == NOT_MADE:
            return NOT_MADE, {}  # what failed to be made is, as a rule, not there
        if isinstance(error, TimeoutError):
            raise TimeoutError(f"WorkMail did not answer for {organization_id} {error}: deploy again") from None
        raise RuntimeError(
            f"cannot turn the email event logging of {organization_id} on or off, solve this and deploy again: {error}"
        ) from error
    return organization_id, {}


def _turn_on(wanted: dict[str, Any], former: dict[str, Any]) -> None:
    found = _log_group_of(wanted["OrganizationId"])
    ours = {_plain(each["LogGroupArn"]) for each in (wanted, former) if "LogGroupArn" in each}
    if found is not None and found not in ours and wanted["Overwrite"] != "true":
        name = found.partition(":log-group:")[2] or found
        raise LookupError(
            f"found that the organization {wanted['OrganizationId']} logs its email events to the log group "
            f"{name[:_SHOWN]}, which is not of this construct: give EmailEventLogging overwrite=True to log to its own "
            "log group from now on, or turn logging off in the WorkMail console (Logging settings, Email flow log "
            "settings) and deploy again"
        )
    once_it_counts(
        lambda: workmail().put_email_monitoring_configuration(
            **{name: wanted[name] for name in ("OrganizationId", "RoleArn", "LogGroupArn")}
        ),
        _NOT_YET,
    )


def _turn_off(wanted: dict[str, Any]) -> None:
    organization_id = wanted["OrganizationId"]
    try:
        if _log_group_of(organization_id) == _plain(wanted["LogGroupArn"]):
            once_it_counts(lambda: workmail().delete_email_monitoring_configuration(OrganizationId=organization_id))
    except Exception as error:
        if error_code(error) not in _GONE:
            raise


def _log_group_of(organization_id: str) -> str | None:
    """Return the ARN of the log group that events are logged to, without its end; None if they are not logged."""
    try:
        configuration = once_it_counts(
            lambda: workmail().describe_email_monitoring_configuration(OrganizationId=organization_id)
        )
    except Exception as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise
    return _plain(configuration.get("LogGroupArn", "")) or None


def _plain(log_group_arn: str) -> str:
    return log_group_arn.removesuffix(":*")
