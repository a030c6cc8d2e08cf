"""The custom resource that turns an organization's email event logging on and off (W2)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

EVENT_LOGGING_TYPE: Final = "Custom::WorkMailEmailEventLogging"

ORGANIZATION_ID: Final = "OrganizationId"
"""The property that names the organization (L3)."""

LOG_GROUP_ARN: Final = "LogGroupArn"
"""The property with the ARN of the log group, `:*` at its end."""

ROLE_ARN: Final = "RoleArn"
"""The property with the ARN of the role that WorkMail writes with."""

OVERWRITE: Final = "Overwrite"
"""The property that says whether a configuration that is somebody else's is replaced."""
