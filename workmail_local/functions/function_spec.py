"""What a function is, as far as running it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workmail_local.deployment import DeployedFunction

PYTHON_RUNTIME_PREFIX = "python3."


class UnsupportedRuntimeError(Exception):
    """The function's runtime cannot run here, so there is no outcome to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """A function's configuration.

    Attributes:
        arn: What `context.invoked_function_arn` says; functions are told apart by it.
        runtime: For example `python3.13`.
        handler: For example `app.handler`.
        code: A zip as deployed, or a folder that is run where it lies.
        layers: Zips, unpacked over one another in this order.
        environment: The function's own variables.
        memory_mb: Resident memory the function may take, MiB; Lambda's default is 128.
        timeout_s: Seconds one invocation may take; Lambda's default is 3.
        missing_layers: ARNs of layers whose content is not here.
        region: The function's Region.
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

    def __post_init__(self) -> None:
        if not self.runtime.startswith(PYTHON_RUNTIME_PREFIX):
            raise UnsupportedRuntimeError(
                f"function {self.name}: its runtime is {self.runtime or 'unknown'}; only Python functions deployed "
                "as a zip (python3.10 and newer) can run here. It was not invoked and has no outcome: "
                "test it in AWS, or put a Python handler in its place locally"
            )

    @property
    def python_version(self) -> tuple[int, int]:
        """Major and minor version of the runtime."""
        minor = self.runtime.removeprefix(PYTHON_RUNTIME_PREFIX)
        return 3, int(minor) if minor.isdigit() else 0

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
        )
