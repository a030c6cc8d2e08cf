"""Where mail ends up: Maildir mailboxes with inbox and junk, and a spool for what leaves the organization.

Every file name follows from the message alone, so that delivering twice is delivering once: after a kill, what was
decided is simply delivered again. Contents are linked, never copied, and are byte for byte what WorkMail was given or
the function put.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from workmail_flow.address import address_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from workmail_local.store.journal import Batch

INBOX = "inbox"
JUNK = "junk"
_FOLDERS = (INBOX, JUNK)
_MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class Mail:
    """One message in a mailbox.

    Args:
        path: Below the state folder.
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

    def deliver(self, batch: Batch, content: Path, *, address: str, folder: str, name: str, again: bool) -> str:
        """Put `content` into a mailbox once, whatever happened before; return its place below the state folder.

        Args:
            batch: Makes the new entry durable.
            content: A file that is never changed.
            address: Whose mailbox.
            folder: `INBOX` or `JUNK`.
            name: Unique to this message.
            again: It may have been delivered before a kill, and a mail reader may have moved it to `cur` since.
        """
        maildir = self._root / _folder_name(address) / folder
        self._make(batch, maildir)
        if again and (read := _in_cur(maildir, name)) is not None:
            return str(read.relative_to(self._state))
        target = maildir / "new" / name
        with suppress(FileExistsError):
            os.link(content, target)
        batch.directories.add(target.parent)
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
        """Expect that the folders are gone."""
        self._made.clear()

    def _make(self, batch: Batch, maildir: Path) -> None:
        if maildir in self._made:
            return
        for part in ("tmp", "new", "cur"):
            (maildir / part).mkdir(parents=True, exist_ok=True, mode=0o700)
        batch.directories.update((maildir, maildir.parent, self._root, self._state))
        self._made.add(maildir)


class OutboundSpool:
    """`STATE/outbound`: what would leave the organization, each message beside its envelope."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._root = state / "outbound"

    def deliver(
        self,
        batch: Batch,
        content: Path,
        *,
        name: str,
        mail_from: str,
        recipients: Sequence[str],
        route: str | None = None,
    ) -> str:
        """Put a message into the spool once; return its place below the state folder.

        Args:
            batch: Makes the new entries durable.
            content: A file that is never changed.
            name: Unique to this message and route.
            mail_from: Envelope sender; "" for the null reverse-path.
            recipients: Envelope recipients.
            route: The SMTP gateway it is routed to; None for the internet.
        """
        self._root.mkdir(exist_ok=True, mode=0o700)
        envelope = {"mailFrom": mail_from, "recipients": list(recipients), "smtpGateway": route}
        # The envelope first: who sees the message sees where it goes.
        batch.write_file(self._root / f"{name}.json", json.dumps(envelope, indent=2).encode())
        target = self._root / f"{name}.eml"
        with suppress(FileExistsError):
            os.link(content, target)
        batch.directories.add(self._state)
        return str(target.relative_to(self._state))


def _folder_name(address: str) -> str:
    """Return the address as a folder's name: no separator, no leading dot, one spelling a mailbox.

    Escapes make an address longer than a file system takes in rare cases; its end is then a digest.
    """
    name = quote(address_key(address), safe="@+=,!~")
    if len(name) > _MAX_NAME:
        name = f"{name[: _MAX_NAME - 33]}~{hashlib.sha256(name.encode()).hexdigest()[:32]}"
    return "%2E" + name[1:] if name.startswith(".") else name


def _address(folder_name: str) -> str:
    return unquote(folder_name)


def _in_cur(maildir: Path, name: str) -> Path | None:
    """Return where a mail reader has put the message: it keeps the name and adds flags after a colon."""
    with os.scandir(maildir / "cur") as entries:
        for entry in entries:
            if entry.name == name or entry.name.startswith(f"{name}:"):
                return maildir / "cur" / entry.name
    return None
