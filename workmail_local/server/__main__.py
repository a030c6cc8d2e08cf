"""`python -m workmail_local.server STATE`: run the local WorkMail until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import math
import sys
from pathlib import Path
from urllib.parse import urlsplit

from workmail_flow.limits import WORKMAIL_REGIONS
from workmail_local.aws.server import DEFAULT_ACCOUNT
from workmail_local.server.daemon import AlreadyRunningError, CannotStartError, Settings, serve

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main() -> int:
    """Run it; the log goes to standard error and holds ids, never addresses or subjects."""
    parser = argparse.ArgumentParser(prog="python -m workmail_local.server", description=__doc__)
    parser.add_argument("state", type=Path, help="folder that everything is kept in")
    parser.add_argument("--region", default="us-east-1", choices=WORKMAIL_REGIONS, help="of the organizations (L1)")
    parser.add_argument("--account", default=DEFAULT_ACCOUNT, help="of everything deployed")
    parser.add_argument("--time-scale", type=float, default=1.0, help="seconds of WorkMail's waiting in one second")
    parser.add_argument("--smtp-port", type=int, default=0, help="0: the last run's, or any free one")
    parser.add_argument("--submission-port", type=int, default=0, help="0: the last run's, or any free one")
    parser.add_argument("--api-port", type=int, default=0, help="0: the last run's, or any free one")
    parser.add_argument("--concurrency", type=int, default=8, help="functions that run at a time")
    parser.add_argument("--aws-endpoint", help="one on loopback that runs already; without it one is started")
    arguments = parser.parse_args()
    if arguments.aws_endpoint and urlsplit(arguments.aws_endpoint).hostname not in _LOOPBACK:
        parser.error(f"--aws-endpoint: found {arguments.aws_endpoint}; allowed is an address on loopback")
    if not 0 < arguments.time_scale < math.inf:
        parser.error("--time-scale must be a number above 0")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings(
        region=arguments.region,
        account=arguments.account,
        time_scale=arguments.time_scale,
        smtp_port=arguments.smtp_port,
        submission_port=arguments.submission_port,
        api_port=arguments.api_port,
        concurrency=arguments.concurrency,
        aws_endpoint=arguments.aws_endpoint,
    )
    try:
        asyncio.run(serve(arguments.state, settings))
    except AlreadyRunningError as error:
        print(error, file=sys.stderr)
        return 3
    except CannotStartError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
