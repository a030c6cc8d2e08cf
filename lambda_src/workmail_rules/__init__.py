"""What the ready-made steps of a rule do, one module per step, and what runs them in one function."""

from __future__ import annotations

from workmail_rules.message import Message
from workmail_rules.step_errors import StepError

__all__ = ["Message", "StepError"]
