"""The endpoint's process: reads its secret, prints where it serves, and serves until its standard input closes."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from workmail_local.access_keys import AccessKeys
from workmail_local.aws.server import DEFAULT_ACCOUNT


def main() -> None:
    """Serve until the process that started this one closes our standard input, or ends."""
    parser = argparse.ArgumentParser(prog="python -m workmail_local.aws", description=__doc__)
    parser.add_argument("--state", type=Path, help="folder that deployments are saved to and replayed from")
    parser.add_argument("--region", required=True, help="Region bootstrapped for the CDK at once")
    parser.add_argument("--account", default=DEFAULT_ACCOUNT, help="account of requests that name no other")
    parser.add_argument("--port", type=int, default=0, help="port to serve on if it is free; any free one otherwise")
    arguments = parser.parse_args()
    # Not an argument: other users of this machine can read those.
    secret = sys.stdin.readline().strip()
    if not secret:
        parser.error("found no secret on standard input; allowed is one line")
    os.umask(0o077)

    # Ctrl-C reaches every process of the terminal; the one that started us may need us until it has ended in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # moto is slow to import, so check the arguments first.
    from workmail_local.aws.endpoint import Endpoint

    endpoint = Endpoint(
        state=arguments.state,
        region=arguments.region,
        account=arguments.account,
        keys=AccessKeys(secret),
        port=arguments.port,
    )
    endpoint.start()
    print(json.dumps({"url": endpoint.url, "failures": endpoint.failures}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
