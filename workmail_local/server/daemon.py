"""Starts, finds and stops the process of the local WorkMail. Standard library only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workmail_local.server.client import ApiFailedError, Client

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_STATE = Path(".workmail-local")
"""The state folder of the command line, relative to the working directory."""

READY_FILE = "daemon.json"
"""Written when everything answers and removed at the end. It says where the running local WorkMail listens."""

LOG_FILE = "daemon.log"
_START_S = 60.0
_STOP_S = 10.0
_POLL_S = 0.02
_MODULE = "workmail_local.server"


class DaemonError(Exception):
    """The local WorkMail could not be found, started or stopped; the text says why."""


class NotRunningError(DaemonError):
    """No local WorkMail runs with this state folder."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """A running local WorkMail.

    Args:
        state: Its state folder.
        ready: What its `daemon.json` holds.
        child: Its process, if this process started it.
    """

    state: Path
    ready: dict[str, Any]
    child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        pid: int = self.ready["pid"]
        return pid

    @property
    def client(self) -> Client:
        """Its API."""
        return Client(self.ready["api"])

    @classmethod
    def find(cls, state: Path) -> Daemon:
        """Return the one that runs with this state folder; what a killed one left behind is ignored.

        Raises:
            NotRunningError: None runs.
        """
        state = state.absolute()
        try:
            ready = json.loads((state / READY_FILE).read_text())
        except (OSError, ValueError, RecursionError):
            raise NotRunningError(_not_running(state)) from None
        # By now the pid may be another process's: only the API confirms that it is ours.
        try:
            if Client(ready["api"], timeout_s=5).get("/v1/status").get("pid") == ready["pid"]:
                return cls(state, ready)
        except (ApiFailedError, OSError, AttributeError, LookupError, TypeError, ValueError):
            pass
        raise NotRunningError(_not_running(state))

    @classmethod
    def start(cls, state: Path, options: Sequence[str] = ()) -> tuple[Daemon, bool]:
        """Start one in the background and wait until everything answers; return it, and whether it is a new one.

        Args:
            state: Its state folder. If one already runs with it, that one is returned as it runs.
            options: Options of `python -m workmail_local.server`.

        Raises:
            DaemonError: It ended before it was ready, or was not ready in time.
        """
        with suppress(NotRunningError):
            return cls.find(state), False
        state = state.absolute()
        log = state / LOG_FILE
        try:
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            (state / READY_FILE).unlink(missing_ok=True)
            output = log.open("ab")
        except OSError as error:
            raise DaemonError(f"{state} cannot be the state folder: {error.strerror}; give another one") from error
        with output:
            start_of_log = output.tell()
            process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, str(state), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=_environment(),
            )
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            with suppress(NotRunningError):
                if (state / READY_FILE).exists():
                    return cls(state, cls.find(state).ready, process), True
            if process.poll() is not None:
                said = log.read_bytes()[start_of_log:].decode("utf-8", "replace").strip()
                raise DaemonError(f"the local WorkMail ended with status {process.returncode}:\n{said}")
            time.sleep(_POLL_S)
        process.terminate()
        raise DaemonError(f"the local WorkMail was not ready within {_START_S:g} s; its log is {log}")

    def stop(self) -> None:
        """Stop it; the next start continues unfinished mail.

        Raises:
            DaemonError: It does not end.
        """
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        while time.monotonic() < deadline:
            if self.child is not None:
                self.child.poll()
            if not _alive(self.pid):
                return
            time.sleep(_POLL_S)
        raise DaemonError(f"process {self.pid} does not end; see {self.state / LOG_FILE}")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _environment() -> dict[str, str]:
    """Return our environment without the user's AWS settings, so that nothing here can reach their credentials."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def _not_running(state: Path) -> str:
    option = "" if state == DEFAULT_STATE.absolute() else f" --state {state}"
    return f"no local WorkMail runs with the state folder {state}: start it with `workmail-flow local up{option}`"
