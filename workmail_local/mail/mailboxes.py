"""Where mail ends up: Maildir mailboxes with inbox and junk, and a spool for what leaves the organization.

Every file name depends on the message alone, so a second delivery of a message changes nothing. After a kill, what was
decided is delivered again. Contents are linked, never copied: each is byte for byte what came in or what the function
put.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from workmail_flow.address import address_key
from workmail_local.whole_file import write_whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

INBOX = "inbox"
JUNK = "junk"
_FOLDERS = (INBOX, JUNK)
_MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Mail:
    """One message in a mailbox.

    Args:
        path: Relative to the state folder.
        seen: Whether a mail reader has moved it to `cur`.
    """

    address: str
    folder: str
    path: Path
    seen: bool


class Mailboxes:
    """`STATE/mailboxes/ADDRESS/{inbox,junk}`, each a Maildir that any mail reader opens."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._root = state / "mailboxes"
        self._made: set[Path] = set()

    def deliver(self, content: Path, *, address: str, folder: str, name: str, again: bool) -> str:
        """Put `content` into a mailbox, once; return its place relative to the state folder.

        Args:
            content: A file that never changes.
            address: Whose mailbox.
            folder: `INBOX` or `JUNK`.
            name: Unique to this message.
            again: Whether it may have been delivered before a kill; a mail reader may have moved it to `cur` since.
        """
        maildir = self._root / _folder_name(address) / folder
        self._make(maildir)
        if again and (read := _in_cur(maildir, name)) is not None:
            return str(read.relative_to(self._state))
        target = maildir / "new" / name
        with suppress(FileExistsError):
            os.link(content, target)
        return str(target.relative_to(self._state))

    def addresses(self) -> list[str]:
        """Return who has a mailbox."""
        return sorted(_address(path.name) for path in self._root.glob("*") if path.is_dir())

    def mails(self, address: str) -> Iterator[Mail]:
        """Return the mails of a mailbox, oldest first in each folder."""
        mailbox = self._root / _folder_name(address)
        for folder in _FOLDERS:
            for path in sorted((*(mailbox / folder).glob("new/*"), *(mailbox / folder).glob("cur/*"))):
                yield Mail(address, folder, path.relative_to(self._state), path.parent.name == "cur")

    def forget(self) -> None:
        """Accept that the folders are gone."""
        self._made.clear()

    def _make(self, maildir: Path) -> None:
        if maildir in self._made:
            return
        for part in ("tmp", "new", "cur"):
            (maildir / part).mkdir(parents=True, exist_ok=True, mode=0o700)
        self._made.add(maildir)


class OutboundSpool:
    """`STATE/outbound`: what would leave the organization, each message beside its envelope."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._root = state / "outbound"

    def deliver(
        self, content: Path, *, name: str, mail_from: str, recipients: Sequence[str], route: str | None = None
    ) -> str:
        """Put a message into the spool, once; return its place relative to the state folder.

        Args:
            content: A file that never changes.
            name: Unique to this message and route.
            mail_from: Envelope sender; "" for the null reverse-path.
            recipients: Envelope recipients.
            route: SMTP gateway of the message; None for the internet.
        """
        self._root.mkdir(exist_ok=True, mode=0o700)
        envelope = {"mailFrom": mail_from, "recipients": list(recipients), "smtpGateway": route}
        # The envelope first: whoever finds the message also finds its envelope.
        write_whole_file(self._root / f"{name}.json", json.dumps(envelope, indent=2).encode())
        target = self._root / f"{name}.eml"
        with suppress(FileExistsError):
            os.link(content, target)
        return str(target.relative_to(self._state))

    def files(self) -> list[Path]:
        """Return the files of the messages, newest first."""
        found = []
        for file in self._root.glob("*.eml"):
            with suppress(FileNotFoundError):  # deleted since
                found.append((file.stat().st_mtime_ns, file))
        return [file for _, file in sorted(found, reverse=True)]

    def envelope(self, file: Path) -> dict[str, Any]:
        """Return the envelope of one of the files; an empty one if somebody deleted it."""
        envelope: dict[str, Any] = {"mailFrom": "", "recipients": [], "smtpGateway": None}
        with suppress(FileNotFoundError):
            envelope |= json.loads(file.with_suffix(".json").read_bytes())
        return envelope


def _folder_name(address: str) -> str:
    """Return the address as a folder name: no separator, no leading dot, one spelling per mailbox.

    Escapes can make an address longer than a file name may be; its end is then a digest.
    """
    name = quote(address_key(address), safe="@+=,!~")
    if len(name) > _MAX_NAME:
        name = f"{name[: _MAX_NAME - 33]}~{hashlib.sha256(name.encode()).hexdigest()[:32]}"
    return "%2E" + name[1:] if name.startswith(".") else name


def _address(folder_name: str) -> str:
    return unquote(folder_name)


def _in_cur(maildir: Path, name: str) -> Path | None:
    """Return where a mail reader has moved the message; it keeps the name and adds flags after a colon."""
    with os.scandir(maildir / "cur") as entries:
        for entry in entries:
            if entry.name == name or entry.name.startswith(f"{name}:"):
                return maildir / "cur" / entry.name
    return None
