"""How Powertools for AWS Lambda behaves in a rule's function."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Powertools:
    """The settings of Powertools for AWS Lambda (Python), which it reads from the environment.

    There is no setting to log the whole event: it has addresses and the subject.
    """

    service: str
    """The service that logs, metrics and traces name."""
    metrics_namespace: str | None = None
    """The CloudWatch namespace of its metrics; None if the handler makes none."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = "INFO"

    def environment(self) -> Mapping[str, str]:
        """Return the environment variables that say so."""
        named = {"POWERTOOLS_SERVICE_NAME": self.service, "POWERTOOLS_LOG_LEVEL": self.log_level}
        if self.metrics_namespace is not None:
            named["POWERTOOLS_METRICS_NAMESPACE"] = self.metrics_namespace
        return named
