"""All writing to disk: one thread, one commit for everything that arrived meanwhile (group commit)."""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_T = TypeVar("_T")
_MAX_BATCH = 256


@dataclass(slots=True)
class Batch:
    """What one commit makes durable: rows of `db`, and the directory entries of `directories`."""

    db: sqlite3.Connection
    directories: set[Path] = field(default_factory=set)

    def write_file(self, path: Path, content: bytes) -> None:
        """Write a whole file or none; its directory entry is durable before the commit."""
        unfinished = path.with_name(f".{path.name}.unfinished")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            unfinished.replace(path)
        except OSError:  # what is left of it would keep a full disk full
            unfinished.unlink(missing_ok=True)
            raise
        self.directories.add(path.parent)

    def sync_directories(self) -> None:
        """Make the entries of every touched directory durable."""
        for directory in self.directories:
            descriptor = os.open(directory, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[Batch], Any]
    future: asyncio.Future[Any]
    durable: bool


class Journal:
    """The database and the thread that writes to it.

    Work is done in the order it was submitted; its future is done when it is on disk (WAL, `synchronous=FULL`). Work
    that raises is undone alone: the others of its batch are kept.
    """

    def __init__(self, path: Path, *, schema: str) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self.reader = self._connect()
        self.reader.executescript(schema)
        self._synchronous = True  # as `_connect` leaves it
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def submit(self, work: Callable[[Batch], _T], *, durable: bool = True) -> asyncio.Future[_T]:
        """Have `work` done on the writing thread; await the future to know that it is.

        Args:
            work: Writes rows and files.
            durable: The future waits until the rows are on the disk itself. Without, they survive a kill of this
                process at once and a power failure with the next durable work: for what is simply done again.
        """
        future: asyncio.Future[_T] = self._loop.create_future()
        self._jobs.put(_Job(work, future, durable))
        return future

    async def close(self) -> None:
        """Finish what was submitted and close the database."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        self.reader.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=30)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection

    def _write(self) -> None:
        db = self._connect()
        open_for_more = True
        while open_for_more:
            first = self._jobs.get()
            if first is None:
                break
            jobs = [first]
            while len(jobs) < _MAX_BATCH:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    open_for_more = False
                    break
                jobs.append(job)
            self._commit(db, jobs)
        db.close()

    def _commit(self, db: sqlite3.Connection, jobs: list[_Job]) -> None:
        batch = Batch(db)
        results: list[tuple[asyncio.Future[Any], Any, Exception | None]] = []
        durable = any(job.durable for job in jobs)
        try:
            if durable is not self._synchronous:
                db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                self._synchronous = durable
            db.execute("BEGIN IMMEDIATE")
            if len(jobs) == 1:  # nothing beside it to be kept apart from it
                results.append((jobs[0].future, jobs[0].work(batch), None))
            else:
                for job in jobs:
                    db.execute("SAVEPOINT job")
                    try:
                        results.append((job.future, job.work(batch), None))
                    except Exception as error:
                        db.execute("ROLLBACK TO job")
                        results.append((job.future, None, error))
                    db.execute("RELEASE job")
            batch.sync_directories()
            db.execute("COMMIT")
        except Exception as error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            results = [(job.future, None, error) for job in jobs]
        self._loop.call_soon_threadsafe(_resolve, results)


def _resolve(results: list[tuple[asyncio.Future[Any], Any, Exception | None]]) -> None:
    for future, result, error in results:
        if future.cancelled():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
