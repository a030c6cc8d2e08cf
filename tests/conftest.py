"""What every test shares: a deterministic hypothesis profile and no AWS account within reach."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A test never reaches an account: whatever the shell has is replaced before boto3 or the CDK CLI looks.
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION="20",
    # CDK validates templates, which costs several times the synth; tests about validity turn it on. It is read by the
    # Node.js process that the first import of aws_cdk starts.
    CDK_VALIDATION="false",
    CDK_DISABLE_CLI_TELEMETRY="true",
)

# A shell that starts the tests in the background lets them, and the commands that they press Ctrl-C for, ignore it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# However the tests are started, as `make test` has it: our commands, uv and the CDK CLI.
_OWN = (Path(sys.executable).parent, Path(__file__).parents[1] / "node_modules" / ".bin")
os.environ["PATH"] = os.pathsep.join([*map(str, _OWN), os.environ.get("PATH", os.defpath)])

settings.register_profile(
    "suite",
    derandomize=True,
    deadline=None,
    max_examples=50,  # `make fuzz` tries more of them, and others
    suppress_health_check=[HealthCheck.too_slow],
)
# `make fuzz`: other inputs in every round.
settings.register_profile("fuzz", deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors: many tests wait, for retries, deadlines and other processes."""
    return (os.cpu_count() or 1) + 1
