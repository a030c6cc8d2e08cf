"""Plain paths are read by ourselves: exactly as aiosmtpd reads them."""

from __future__ import annotations

import asyncio

from aiosmtpd.smtp import SMTP
from hypothesis import given
from hypothesis import strategies as st

from workmail_local.server.smtp import _PLAIN_PATH, _Smtp

_PART = st.text("ab.@=_+-'`{}|~1!#$%&*/^? \"(", min_size=1, max_size=8)
_REST = st.sampled_from(["", " ", " SIZE=3", "  BODY=8BITMIME SIZE=1", " x(y", "SIZE=1", " (x) SIZE=1"])
_PATH = st.builds(lambda local, domain, rest: f"<{local}@{domain}>{rest}", _PART, _PART, _REST)


def _both(path: str) -> tuple[object, object]:
    async def read() -> tuple[object, object]:
        smtp = _Smtp(object(), loop=asyncio.get_running_loop())
        return smtp._getaddr(path), SMTP._getaddr(smtp, path)

    return asyncio.run(read())


@given(_PATH)
def test_a_path_is_read_as_aiosmtpd_reads_it(path: str) -> None:
    ours, theirs = _both(path)
    assert ours == theirs


@given(st.from_regex(_PLAIN_PATH, fullmatch=True))
def test_so_is_every_path_taken_for_plain(path: str) -> None:
    ours, theirs = _both(path)
    assert ours == theirs
