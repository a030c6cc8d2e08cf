"""Junks mail that goes to more than a few of us at once."""

import os

from workmail_runtime import InboundEvent, Reply, synchronous_inbound


@synchronous_inbound
def handler(event: InboundEvent) -> Reply:
    if len(event.recipients) > int(os.environ.get("MOST", "10")):
        return event.reply.move_to_junk_for_all()
    return event.reply.default_for_all()
