"""Sends every event to everyone who watches."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_BEHIND = 10_000
"""Events a watcher may be behind."""


class Watchers:
    """One queue per watcher. A watcher that falls too far behind gets a `missed` event in place of what it missed."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[dict[str, Any]]] = set()

    def publish(self, event: dict[str, Any]) -> None:
        """Send an event to every watcher."""
        for queue in self._queues:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait({"type": "missed"})
            queue.put_nowait(event)

    @contextmanager
    def watching(self) -> Iterator[asyncio.Queue[dict[str, Any]]]:
        """Receive what is published while the context is open."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_MAX_BEHIND)
        self._queues.add(queue)
        try:
            yield queue
        finally:
            self._queues.discard(queue)
