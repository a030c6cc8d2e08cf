"""What it takes to run a function: the configuration that a deployment, a trial or a test gives it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from workmail_flow.arns import UNPUBLISHED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workmail_local.deployment import DeployedFunction

_PYTHON_RUNTIME: Final = re.compile(r"python3\.[0-9]+")


class UnsupportedRuntimeError(Exception):
    """The function's runtime cannot run here, so an invocation has no outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """A function's configuration.

    Attributes:
        arn: Identifies the function; `context.invoked_function_arn` has it.
        runtime: For example `python3.13`.
        handler: For example `app.handler`.
        code: The deployed zip, or a folder, which is not copied.
        layers: Zips, unpacked over one another in this order.
        environment: The function's own variables.
        memory_mb: MiB of resident memory the function may use; Lambda's default is 128.
        timeout_s: Seconds per invocation; Lambda's default is 3.
        missing_layers: ARNs of layers whose content is not here.
        region: The function's Region.
        version: The version that runs.

    Raises:
        UnsupportedRuntimeError: The runtime is not a Python one.
    """

    name: str
    arn: str
    runtime: str
    handler: str
    code: Path
    layers: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int = 128
    timeout_s: float = 3.0
    missing_layers: tuple[str, ...] = ()
    region: str = "us-east-1"
    version: str = UNPUBLISHED

    def __post_init__(self) -> None:
        if not _PYTHON_RUNTIME.fullmatch(self.runtime):
            raise UnsupportedRuntimeError(
                f"function {self.name}: its runtime is {self.runtime or 'unknown'}; only Python functions deployed "
                "as a zip (python3.10 and newer) can run here. It was not invoked and has no outcome: "
                "test it in AWS, or replace it with a Python handler locally"
            )

    @classmethod
    def from_deployed(cls, deployed: DeployedFunction, *, region: str) -> Self:
        """Take a deployed function's configuration.

        Raises:
            UnsupportedRuntimeError: Not a Python function, or a container image.
        """
        image = deployed.package_type == "Image"
        return cls(
            name=deployed.name,
            arn=deployed.arn,
            runtime="a container image" if image else deployed.runtime,
            handler=deployed.handler,
            code=deployed.code,
            layers=tuple(deployed.layers),
            environment=dict(deployed.environment),
            memory_mb=deployed.memory_mb,
            timeout_s=deployed.timeout_s,
            missing_layers=deployed.missing_layers,
            region=region,
            version=deployed.version,
        )
