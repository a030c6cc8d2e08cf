"""The pytest fixtures of the local WorkMail; pytest finds them when this package is installed.

Tests use `workmail_local`. One local WorkMail serves all tests of a pytest process (of each pytest-xdist worker). It
has its own state folder and ports, so parallel test runs do not disturb each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workmail_local.testing.workmail_local import WorkMailLocal

_TIME_SCALE = "workmail_local_time_scale"
_REGION = "workmail_local_region"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of `workmail_local` to pytest's configuration file."""
    parser.addini(_TIME_SCALE, "seconds of WorkMail's waiting (rule timeouts, retries) per second", default="3600")
    parser.addini(_REGION, "Region of the local WorkMail's organizations", default="us-east-1")


@pytest.fixture(scope="session")
def workmail_local_session(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[WorkMailLocal]:
    """Run a local WorkMail for the whole session, without clearing it between tests."""
    from workmail_local.testing.workmail_local import WorkMailLocal

    with WorkMailLocal.running(
        tmp_path_factory.mktemp("workmail-local"),
        time_scale=float(pytestconfig.getini(_TIME_SCALE)),
        region=str(pytestconfig.getini(_REGION)),
    ) as local:
        yield local


@pytest.fixture
def workmail_local(workmail_local_session: WorkMailLocal) -> Iterator[WorkMailLocal]:
    """Give a test the local WorkMail, cleared of mail, handler folders and faults; deployed stacks stay."""
    workmail_local_session.clear()
    yield workmail_local_session
    workmail_local_session.clear()
