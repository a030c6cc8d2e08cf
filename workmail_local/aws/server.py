"""Starts the local AWS in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from workmail_local.access_keys import AccessKeys

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
        keys: The access keys it takes.
        failures: Saved deployments that could not be deployed again, and why; they stay saved.
    """

    url: str
    keys: AccessKeys
    pid: int
    failures: tuple[str, ...]
    _process: subprocess.Popen[str]
    _log: IO[str]

    @classmethod
    def start(
        cls,
        state: Path | None = None,
        *,
        region: str,
        account: str = DEFAULT_ACCOUNT,
        keys: AccessKeys | None = None,
        port: int = 0,
    ) -> AwsEndpoint:
        """Start the endpoint and wait until it answers, with the saved deployments replayed.

        Args:
            state: Folder that deployments are saved to and replayed from; without one, nothing is kept.
            region: Region that is bootstrapped for the CDK at once; others are bootstrapped on first use.
            account: Account of requests whose credentials belong to no other.
            keys: The access keys it takes; by default new ones.
            port: Where to serve if that port is free; any free one otherwise.

        Raises:
            AwsEndpointError: The process ended before it was ready.
        """
        keys = keys or AccessKeys.random()
        command = [sys.executable, "-m", "workmail_local.aws"]
        command += ["--region", region, "--account", account, "--port", str(port)]
        if state is not None:
            state.mkdir(parents=True, exist_ok=True)
            command += ["--state", str(state)]
            log: IO[str] = (state / "aws.log").open("a+")
        else:
            log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process does
        start_of_log = log.seek(0, os.SEEK_END)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError):  # it has ended; its log says why
            process.stdin.write(f"{keys.secret}\n")
            process.stdin.flush()
        ready = process.stdout.readline()
        if not ready:
            process.communicate()
            log.seek(start_of_log)
            said = log.read().strip()
            log.close()
            raise AwsEndpointError(f"the AWS endpoint ended with status {process.returncode}: {said}")
        serving = json.loads(ready)
        failures = tuple(serving["failures"])
        return cls(url=serving["url"], keys=keys, pid=process.pid, failures=failures, _process=process, _log=log)

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
