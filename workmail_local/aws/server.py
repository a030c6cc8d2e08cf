"""Starts the local AWS in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_ACCOUNT = "123456789012"
_STOP_SECONDS = 5


class AwsEndpointError(Exception):
    """The endpoint's process ended before it was ready; the message holds its log."""


@dataclass(frozen=True, slots=True)
class AwsEndpoint:
    """A running endpoint, serving on loopback until `stop` or until this process ends.

    Attributes:
        url: `http://localhost:PORT`; the CDK CLI does not find its templates by any other name of the host.
        failures: Saved deployments that could not be deployed again, and why; they stay saved.
    """

    url: str
    pid: int
    failures: tuple[str, ...]
    _process: subprocess.Popen[str]
    _log: IO[str]

    @classmethod
    def start(cls, state: Path | None = None, *, region: str, account: str = DEFAULT_ACCOUNT) -> AwsEndpoint:
        """Start the endpoint and wait until it answers, with the saved deployments replayed.

        Args:
            state: Folder that deployments are saved to and replayed from; without one, nothing is kept.
            region: Region that is bootstrapped for the CDK at once; others are bootstrapped on first use.
            account: Account of requests whose credentials belong to no other.

        Raises:
            AwsEndpointError: The process ended before it was ready.
        """
        command = [sys.executable, "-m", "workmail_local.aws"]
        command += ["--region", region, "--account", account]
        if state is not None:
            state.mkdir(parents=True, exist_ok=True)
            command += ["--state", str(state)]
            log: IO[str] = (state / "aws.log").open("a+")
        else:
            log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process does
        start_of_log = log.seek(0, os.SEEK_END)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        ready = process.stdout.readline() if process.stdout is not None else ""
        if not ready:
            process.communicate()
            log.seek(start_of_log)
            said = log.read().strip()
            log.close()
            raise AwsEndpointError(f"the AWS endpoint ended with status {process.returncode}: {said}")
        serving = json.loads(ready)
        failures = tuple(serving["failures"])
        return cls(url=serving["url"], pid=process.pid, failures=failures, _process=process, _log=log)

    def stop(self) -> None:
        """End the process; saved deployments stay saved."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._log.close()
