"""`python -m workmail_local.server STATE`: run the local WorkMail until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from workmail_flow.limits import WORKMAIL_REGIONS
from workmail_local.access_keys import AccessKeys
from workmail_local.aws.server import DEFAULT_ACCOUNT
from workmail_local.loopback import is_loopback
from workmail_local.server.daemon import SECRET_VARIABLE
from workmail_local.server.local_workmail import AlreadyRunningError, CannotStartError, Settings, serve


def main() -> int:
    """Run the local WorkMail. Its log goes to standard error and holds ids, never addresses or subjects."""
    parser = argparse.ArgumentParser(prog="python -m workmail_local.server", description=__doc__)
    parser.add_argument("state", type=Path, help="state folder, for everything that is kept")
    parser.add_argument("--region", default="us-east-1", choices=WORKMAIL_REGIONS, help="Region of the organizations")
    parser.add_argument("--account", default=DEFAULT_ACCOUNT, help="account of everything deployed")
    parser.add_argument("--time-scale", type=float, default=1.0, help="seconds of WorkMail's waiting per second")
    for port in ("smtp", "submission", "api"):
        parser.add_argument(f"--{port}-port", type=int, default=0, help="0: the last run's, or any free port")
    parser.add_argument("--concurrency", type=int, default=8, help="functions that run at a time")
    parser.add_argument("--aws-endpoint", help=f"a running one on loopback; {SECRET_VARIABLE} holds its secret")
    arguments = vars(parser.parse_args())
    state, endpoint = arguments.pop("state"), arguments["aws_endpoint"]
    if endpoint and not is_loopback(urlsplit(endpoint).hostname):
        parser.error(f"--aws-endpoint: found {endpoint}; allowed is an address on loopback")
    secret = os.environ.pop(SECRET_VARIABLE, "")
    if endpoint and not secret:
        parser.error(f"--aws-endpoint: {SECRET_VARIABLE} is not set; it must hold the endpoint's secret")
    if not 0 < arguments["time_scale"] < math.inf:
        parser.error(f"--time-scale: found {arguments['time_scale']:g}; allowed is a number above 0")
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        keys = AccessKeys(secret) if secret else AccessKeys.random()
        asyncio.run(serve(state, Settings(**arguments, keys=keys)))
    except AlreadyRunningError as error:
        print(error, file=sys.stderr)
        return 3
    except CannotStartError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
