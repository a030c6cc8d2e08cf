"""Message files, and the envelope that each has by its header: sender and recipients."""

from __future__ import annotations

from typing import Final

FILES: Final[dict[str, tuple[bytes, str, tuple[str, ...]]]] = {
    "from": (b"From: Ann <ann@a.test>, bea@a.test\r\nTo: bob@b.test\r\n", "ann@a.test", ("bob@b.test",)),
    "sender": (b"From: ann@a.test\r\nSender: aide@a.test\r\nTo: bob@b.test\r\n", "aide@a.test", ("bob@b.test",)),
    "return-path": (
        b"Sender: aide@a.test\r\nFrom: ann@a.test\r\nReturn-Path: <bounces@a.test>\r\nTo: bob@b.test\r\n",
        "bounces@a.test",
        ("bob@b.test",),
    ),
    "bounce": (b"Return-Path: <>\r\nFrom: mailer@a.test\r\nTo: bob@b.test\r\n", "", ("bob@b.test",)),
    "no-return-path": (b"Return-Path: -\r\nFrom: ann@a.test\r\nTo: bob@b.test\r\n", "ann@a.test", ("bob@b.test",)),
    "no-sender": (b"From: nobody\r\nTo: bob@b.test\r\n", "sender@sender.example", ("bob@b.test",)),
    "to-cc-bcc": (
        b"From: ann@a.test\r\nBcc: eve@b.test\r\nCc: bob@b.test\r\nTo: Bob\r\n <bob@b.test>, dan@b.test\r\n",
        "ann@a.test",
        ("bob@b.test", "dan@b.test", "eve@b.test"),
    ),
    "utf-8": (
        "From: Jörg <jörg@ä.test>\r\nTo: Žofie, Dr. <žofie@b.test>, Björn <b@b.test>\r\n".encode(),
        "jörg@ä.test",
        ("žofie@b.test", "b@b.test"),
    ),
    "latin-1": (
        b"From: J\xf6rg <ann@a.test>\r\nTo: J\xf6rg <j\xf6rg@b.test>, bob@b.test\r\n",
        "ann@a.test",
        ("bob@b.test",),
    ),
    "group": (
        b"From: ann@a.test\r\nTo: Team: =?utf-8?q?Bob=2C_B?= <bob@b.test> (a (b)), dan@b.test;, eve@b.test\r\n",
        "ann@a.test",
        ("bob@b.test", "dan@b.test", "eve@b.test"),
    ),
}
