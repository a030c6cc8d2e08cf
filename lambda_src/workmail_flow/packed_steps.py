"""What the constructs pack and deploy for a rule's steps, and the running steps read."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

CONFIGURATION_FILE: Final = "workmail_steps.json"
"""The file beside the handler's module that holds the steps' configuration."""

CONFIGURATION_VERSION: Final = 1

ENVIRONMENT: Final = "$environment"
"""In a configuration, `{"$environment": NAME}` stands for the value of an environment variable, which the deployment
sets: an ARN or a name that synth does not know."""

ONCE_TABLE_VARIABLE: Final = "WORKMAIL_STEPS_TABLE"
"""The environment variable that names the table of what was done once; its partition key is `id`, its time to live
`expires`."""
