"""All writing to disk: one thread, one database transaction per piece of work."""

from __future__ import annotations

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_T = TypeVar("_T")


class Journal:
    """The database, and the thread that writes to it and to the files beside it.

    Committed work survives a kill of this process. It may not survive a power failure or a crash of the operating
    system: nothing waits for the disk itself (WAL with `synchronous=NORMAL`, which keeps the database consistent).

    Args:
        path: The database file.
        schema: SQL that creates what does not exist yet.
        functions: Functions of two arguments for `read_apart`, by the name that they have in SQL.
    """

    def __init__(self, path: Path, *, schema: str, functions: Mapping[str, Callable[[Any, Any], Any]]) -> None:
        self._path = path
        self._functions = functions
        self.reader = _connect(path)
        self.reader.executescript(schema)
        self._db = _connect(path)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    def submit(self, work: Callable[[sqlite3.Connection], _T]) -> asyncio.Future[_T]:
        """Do `work` after all earlier work; the future is done when it is committed, or rolled back with an error."""
        # Shielded: a task that is cancelled while it waits must not take back what it has handed in.
        return asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, self._commit, work))

    async def read_apart(self, sql: str, values: Mapping[str, Any]) -> list[sqlite3.Row]:
        """Return the rows of a query that may take long, without holding up other reading and writing."""

        def read() -> list[sqlite3.Row]:
            with closing(_connect(self._path)) as connection:
                for name, function in self._functions.items():
                    connection.create_function(name, 2, function, deterministic=True)
                return connection.execute(sql, values).fetchall()

        return await asyncio.to_thread(read)

    async def close(self) -> None:
        """Finish the submitted work and close the database."""
        await asyncio.to_thread(self._thread.shutdown)
        self._db.close()
        self.reader.close()

    def _commit(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:  # commits, or rolls back if the work raises
            return work(self._db)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection
