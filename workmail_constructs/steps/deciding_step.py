"""A step that decides with what its user gave for each case."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING

from workmail_constructs.steps.step import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_constructs.steps.decision import Decision


class DecidingStep(Step, ABC):
    """The base of steps that hold several decisions."""

    _decisions: Mapping[str, Decision | None]
    """By case; None where nothing is decided."""

    @property
    def decides(self) -> bool:
        """The step decides."""
        return True

    @property
    def inbound_only(self) -> bool:
        """Whether one of the decisions is for inbound mail only."""
        return any(each.inbound_only for each in self._decisions.values() if each)
