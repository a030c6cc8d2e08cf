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

from workmail_local.access_keys import SECRET_ACCESS_KEY, SESSION_TOKEN
from workmail_local.private_folder import make_private_folder, require_own
from workmail_local.server.client import ApiFailedError, Client
from workmail_local.state_file import READY_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_STATE = Path(".workmail-local")
"""The state folder of the command line, relative to the working directory."""

SECRET_VARIABLE = "WORKMAIL_LOCAL_SECRET"  # noqa: S105 - a name
"""Environment variable with the secret of the access keys; without it, a run makes its own."""

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
        return Client(self.ready["api"], self.ready["token"])

    def aws_environment(self, *, account: str | None = None) -> dict[str, str]:
        """Return the variables with which the AWS CLI and SDKs reach the local AWS, as the developer.

        Args:
            account: An account that a stack here is deployed to; by default that of environment-agnostic stacks.

        Raises:
            ApiFailedError: No stack here is deployed to that account.
        """
        ready = self.ready
        return {
            # boto3 puts a bucket's name in front of a host name; not every system knows bucket.localhost.
            "AWS_ENDPOINT_URL": ready["aws_endpoint"].replace("//localhost:", "//127.0.0.1:"),
            "AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW": ready["messageflow"],
            "AWS_ACCESS_KEY_ID": self.client.access_key_id(account) if account else ready["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_SESSION_TOKEN": SESSION_TOKEN,
            "AWS_REGION": ready["region"],
            "AWS_DEFAULT_REGION": ready["region"],
        }

    def aws_client(self, service: str, *, account: str | None = None, **options: Any) -> Any:
        """Return a boto3 client of the local AWS, whose calls need no permission.

        Args:
            service: As boto3 names it; `workmailmessageflow` reads and updates the messages in transit.
            account: As for `aws_environment`.
            **options: For `boto3.client`.
        """
        import boto3

        environment = self.aws_environment(account=account)
        where = "AWS_ENDPOINT_URL_WORKMAILMESSAGEFLOW" if service == "workmailmessageflow" else "AWS_ENDPOINT_URL"
        access: dict[str, Any] = {
            "endpoint_url": environment[where],
            "region_name": environment["AWS_REGION"],
            "aws_access_key_id": environment["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
        }
        make: Any = boto3.client  # whose overloads name each service
        return make(service, **access | options)

    @classmethod
    def find(cls, state: Path) -> Daemon:
        """Return the one that runs with this state folder; what a killed one left behind is ignored.

        Raises:
            NotRunningError: None runs.
            DaemonError: The folder is a symbolic link or another user's, so what it says cannot be trusted.
        """
        state = state.absolute()
        ready_file = state / READY_FILE
        try:
            for path in (state, ready_file):
                require_own(path)
            ready = json.loads(ready_file.read_text())
        except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
            raise NotRunningError(_not_running(state)) from None
        except OSError as error:
            raise DaemonError(_no_state_folder(state, error)) from error
        # By now the pid may be another process's: only the API confirms that it is ours. And the port of one that has
        # ended may be another user's, who must not get its token.
        try:
            pid = ready["pid"]
            if _alive(pid) and Client(ready["api"], ready["token"], timeout_s=5).get("/v1/status").get("pid") == pid:
                return cls(state, ready)
        except (ApiFailedError, OSError, AttributeError, LookupError, TypeError, ValueError):
            pass
        raise NotRunningError(_not_running(state))

    @classmethod
    def start(cls, state: Path, options: Sequence[str] = (), *, secret: str | None = None) -> tuple[Daemon, bool]:
        """Start one in the background and wait until everything answers; return it, and whether it is a new one.

        Args:
            state: Its state folder. If one already runs with it, that one is returned as it runs.
            options: Options of `python -m workmail_local.server`.
            secret: Secret of the access keys, for an AWS endpoint that runs already; by default a new one.

        Raises:
            DaemonError: It ended before it was ready, or was not ready in time.
        """
        with suppress(NotRunningError):
            return cls.find(state), False
        state = state.absolute()
        log = state / LOG_FILE
        try:
            make_private_folder(state)
            (state / READY_FILE).unlink(missing_ok=True)
            output = open(log, "ab", opener=_open_private)  # noqa: SIM115 - closed below
        except OSError as error:
            raise DaemonError(_no_state_folder(state, error)) from error
        with output:
            start_of_log = output.tell()
            process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, str(state), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=_environment() | ({} if secret is None else {SECRET_VARIABLE: secret}),
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
    except (ProcessLookupError, PermissionError):  # there is none, or the pid is another user's by now
        return False
    return True


def _environment() -> dict[str, str]:
    """Return our environment without the user's AWS settings, so that nothing here can reach their credentials."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def _no_state_folder(state: Path, error: OSError) -> str:
    what = "" if error.filename in (None, str(state)) else f"{error.filename}: "
    return f"{state} cannot be the state folder: {what}{error.strerror}; give another one"


def _not_running(state: Path) -> str:
    option = "" if state == DEFAULT_STATE.absolute() else f" --state {state}"
    return f"no local WorkMail runs with the state folder {state}: start it with `workmail-flow local up{option}`"
