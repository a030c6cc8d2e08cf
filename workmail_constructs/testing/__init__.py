"""What users need in tests of their own stacks and handlers.

A name is loaded when it is first used: events need no aws_cdk, and only the snapshots need syrupy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workmail_constructs.testing.comparable_templates import comparable_template
    from workmail_constructs.testing.invocation_events import (
        EVENT_EDITIONS,
        EventEdition,
        EventFields,
        inbound_event,
        outbound_event,
    )
    from workmail_constructs.testing.right_assertions import (
        assert_function_may_read_content,
        assert_function_may_update_content,
        assert_workmail_can_invoke,
        assert_workmail_can_read,
    )
    from workmail_constructs.testing.rule_assertions import assert_rule_declared
    from workmail_constructs.testing.template_snapshot import TemplateSnapshotExtension

__all__ = [
    "EVENT_EDITIONS",
    "EventEdition",
    "EventFields",
    "TemplateSnapshotExtension",
    "assert_function_may_read_content",
    "assert_function_may_update_content",
    "assert_rule_declared",
    "assert_workmail_can_invoke",
    "assert_workmail_can_read",
    "comparable_template",
    "inbound_event",
    "outbound_event",
]

_MODULE_OF: Final = {
    "EVENT_EDITIONS": "invocation_events",
    "EventEdition": "invocation_events",
    "EventFields": "invocation_events",
    "TemplateSnapshotExtension": "template_snapshot",
    "assert_function_may_read_content": "right_assertions",
    "assert_function_may_update_content": "right_assertions",
    "assert_rule_declared": "rule_assertions",
    "assert_workmail_can_invoke": "right_assertions",
    "assert_workmail_can_read": "right_assertions",
    "comparable_template": "comparable_templates",
    "inbound_event": "invocation_events",
    "outbound_event": "invocation_events",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__]
