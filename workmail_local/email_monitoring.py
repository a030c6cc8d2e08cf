"""Where organizations have their email events logged (W2): the AWS endpoint keeps it, the local WorkMail reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workmail_local.state_file import read_state_file
from workmail_local.whole_file import write_whole_file

if TYPE_CHECKING:
    from pathlib import Path

_FILE: Final = "email-monitoring.json"


@dataclass(frozen=True, slots=True)
class MonitoringConfiguration:
    """An organization's configuration.

    Args:
        log_group_arn: As it was put, with `:*` at its end.
        role_arn: The role that WorkMail writes with; None for the service-linked one.
    """

    log_group_arn: str
    role_arn: str | None


class EmailMonitoring:
    """The configurations of all organizations, in a file of the state folder; read anew whenever it has changed."""

    def __init__(self, state: Path) -> None:
        self._path = state / _FILE
        self._stamp: tuple[int, int, int] | None = None
        self._all: dict[str, MonitoringConfiguration] = {}

    def find(self, organization_id: str, *, account: str, region: str) -> MonitoringConfiguration | None:
        """Return an organization's configuration; None if its events are not logged.

        Raises:
            StateFileError: The file is damaged.
        """
        return self._read().get(_key(organization_id, account, region))

    def put(self, organization_id: str, configuration: MonitoringConfiguration, *, account: str, region: str) -> None:
        """Set an organization's configuration."""
        self._write(self._read() | {_key(organization_id, account, region): configuration})

    def delete(self, organization_id: str, *, account: str, region: str) -> None:
        """Turn logging off; it may be off already."""
        gone = _key(organization_id, account, region)
        self._write({key: each for key, each in self._read().items() if key != gone})

    def _read(self) -> dict[str, MonitoringConfiguration]:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return {}
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            remedy = "delete it and deploy the stack that turns event logging on again"
            self._all = read_state_file(self._path, _configurations, remedy=remedy)
            self._stamp = stamp
        return self._all

    def _write(self, configurations: dict[str, MonitoringConfiguration]) -> None:
        content = {
            key: {"logGroupArn": each.log_group_arn, "roleArn": each.role_arn} for key, each in configurations.items()
        }
        write_whole_file(self._path, json.dumps(content, indent=1).encode())


def _key(organization_id: str, account: str, region: str) -> str:
    return f"{region}/{account}/{organization_id}"


def _configurations(raw: dict[str, Any]) -> dict[str, MonitoringConfiguration]:
    return {key: MonitoringConfiguration(str(each["logGroupArn"]), each["roleArn"]) for key, each in raw.items()}
