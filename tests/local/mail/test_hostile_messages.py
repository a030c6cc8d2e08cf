"""Whatever a message is, nothing that reads it fails or holds other mail up."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from tests.local.email_flow.engine_without_functions import engine_without_functions
from tests.local.mail.hostile_messages import HOSTILE, messages
from workmail_flow import limits
from workmail_flow.vocabulary import FlowDirection
from workmail_local.deployed import Deployed
from workmail_local.email_flow.engine import RefusedError, Submission
from workmail_local.mail.bounce import Bounce
from workmail_local.mail.envelope import envelope_of
from workmail_local.mail.front_door import is_spam, refuse
from workmail_local.mail.message_diff import diff_messages
from workmail_local.mail.mime_part import parts_of
from workmail_local.mail.readable_message import readable_message
from workmail_local.message_flow.check_update import check_update
from workmail_local.message_head import MessageHead

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READERS: dict[str, Callable[[bytes], object]] = {
    "front door": lambda message: refuse(message, recipients=1),
    "content size": lambda message: [len(part.decoded()) for part in parts_of(message)],
    "spam": is_spam,
    "head": MessageHead.parse,
    "envelope": envelope_of,
    "update": lambda message: check_update(message, original=message),
    "readable": readable_message,
    "difference": lambda message: diff_messages(message, message + b"\r\nmore"),
    "bounce": lambda message: Bounce(
        flow_id="id",
        number=1,
        mail_from="a@b.example",
        recipients=["c@d.example"],
        text=message.decode("utf-8", "replace"),
        reporter="d.example",
        arrived_at=0.0,
        original=message,
    ).to_bytes(),
}


@given(messages)
def test_no_message_is_an_error(message: bytes) -> None:
    for read in READERS.values():
        read(message)


@pytest.mark.parametrize("reader", READERS)
def test_reading_takes_time_that_grows_with_the_message(reader: str) -> None:
    for name, make in HOSTILE.items():
        message = make(32 * 1024)
        start = time.process_time()
        READERS[reader](message)
        # Quadratic work on this takes several seconds, linear work milliseconds.
        assert time.process_time() - start < 1, name


@pytest.mark.fact("F16")
@pytest.mark.parametrize("name", ["Subject: LF folds", "text of LF", "multipart of delimiters", "base64 of no breaks"])
def test_other_mail_goes_on_while_the_largest_message_is_read(tmp_path: Path, name: str) -> None:
    with_hold = asyncio.run(_accept_both(tmp_path, HOSTILE[name](limits.MAX_MIME_BYTES - 1024)))
    assert with_hold < 0.5  # a search of the whole message at once takes seconds


async def _accept_both(state: Path, hostile: bytes) -> float:
    """Accept a small message while a hostile one is read; return the longest time in which nothing else ran."""
    deployed = Deployed.of((), region="us-east-1", account="123456789012")
    submission = Submission("smtp", FlowDirection.INBOUND, "a@b.example", ["c@d.example"], hostile)
    held: list[float] = []
    async with engine_without_functions(state, deployed) as running:
        engine = running.engine
        reading = asyncio.create_task(engine.accept(submission))

        async def watch() -> None:
            while not reading.done():
                start = time.perf_counter()
                await asyncio.sleep(0.001)
                held.append(time.perf_counter() - start)

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0.01)
        await engine.accept(replace(submission, content=b"From: a@b.example\r\n\r\nhi\r\n"))
        assert not reading.done()
        with suppress(RefusedError):
            await reading
        await watching
        await engine.wait()
    return max(held)
