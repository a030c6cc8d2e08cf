"""The durable record of every message: SQLite for what is known of it, one file for each content."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING, Any

from workmail_flow.flow_rule import FlowRule
from workmail_flow.vocabulary import FlowDirection
from workmail_local.message_flow.service import MessageInTransit
from workmail_local.message_head import MessageHead
from workmail_local.records import (
    Attempt,
    AttemptOutcome,
    Delivery,
    Flow,
    Message,
    Outcome,
    RunState,
)
from workmail_local.store.journal import Journal

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from pathlib import Path

    from workmail_local.clock import Clock
    from workmail_local.store.journal import Batch

_NEWEST = 2**63 - 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    received_at REAL NOT NULL,
    source TEXT NOT NULL,
    direction TEXT NOT NULL,
    mail_from TEXT NOT NULL,
    recipients TEXT NOT NULL,
    subject TEXT NOT NULL,
    from_ TEXT NOT NULL,
    sender TEXT,
    size INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS flows (
    id TEXT PRIMARY KEY,
    message_id TEXT NOT NULL REFERENCES messages (id),
    position INTEGER NOT NULL,
    organization_id TEXT NOT NULL,
    invocation_id TEXT NOT NULL,
    recipients TEXT NOT NULL,
    rule TEXT,
    why TEXT NOT NULL,
    spam INTEGER NOT NULL,
    delivery TEXT NOT NULL,
    run TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    first_attempt_at REAL,
    held_because TEXT,
    version INTEGER NOT NULL DEFAULT 0,
    delivered_version INTEGER,
    failure_record TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS flows_of_message ON flows (message_id, position);
CREATE INDEX IF NOT EXISTS unfinished ON flows (delivery) WHERE delivery <> 'done' OR run = 'pending';
CREATE TABLE IF NOT EXISTS attempts (
    flow_id TEXT NOT NULL REFERENCES flows (id),
    number INTEGER NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL,
    outcome TEXT NOT NULL,
    error_type TEXT,
    error TEXT,
    reply BLOB,
    log TEXT NOT NULL,
    request_id TEXT NOT NULL,
    duration_s REAL NOT NULL,
    fault TEXT,
    findings TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS attempts_of_flow ON attempts (flow_id, number);
CREATE TABLE IF NOT EXISTS outcomes (
    flow_id TEXT NOT NULL REFERENCES flows (id),
    position INTEGER NOT NULL,
    recipient TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    bounce_message TEXT,
    added INTEGER NOT NULL,
    place TEXT,
    PRIMARY KEY (flow_id, position)
) WITHOUT ROWID;
"""


class Store:
    """Messages on disk. What a coroutine of this class has returned from survives a kill.

    Contents lie in `content/`: as the message came in under its flow's message's id, each update beside it. They are
    written once and never changed, so that mailboxes can link to them.
    """

    def __init__(self, state: Path, clock: Clock) -> None:
        self._contents = state / "content"
        self._contents.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._journal = Journal(state / "messages.sqlite3", schema=_SCHEMA)
        self._db = self._journal.reader

    async def close(self) -> None:
        """Finish writing."""
        await self._journal.close()

    # Writing

    async def accept(self, message: Message, content: bytes, flows: Sequence[tuple[Flow, Sequence[Outcome]]]) -> None:
        """Keep a new message; outcomes are given for the flows whose decision needs no function."""
        rows = [_flow_row(position, flow) for position, (flow, _) in enumerate(flows)]
        outcomes = [row for flow, decided in flows for row in _outcome_rows(flow, decided)]

        def work(batch: Batch) -> None:
            batch.write_file(self._contents / f"{message.id}.eml", content)
            batch.db.execute(
                "INSERT INTO messages (id, received_at, source, direction, mail_from, recipients, subject, from_,"
                " sender, size) VALUES (?,?,?,?,?,?,?,?,?,?)",
                (
                    *(message.id, message.received_at, message.source, message.direction.value, message.mail_from),
                    *(json.dumps(message.recipients), message.head.subject, message.head.from_, message.head.sender),
                    message.size,
                ),
            )
            batch.db.executemany(
                "INSERT INTO flows (id, message_id, position, organization_id, invocation_id, recipients, rule, why,"
                " spam, delivery, run) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                rows,
            )
            _insert_outcomes(batch, outcomes)

        await self._journal.submit(work)

    def attempt_started(self, flow: Flow, started_at: float) -> Awaitable[None]:
        """Note that the function is invoked; nobody need wait for it."""
        first = flow.first_attempt_at
        number = flow.attempts + 1

        def work(batch: Batch) -> None:
            batch.db.execute("UPDATE flows SET first_attempt_at = ? WHERE id = ?", (first, flow.id))
            batch.db.execute(
                "INSERT INTO attempts (flow_id, number, started_at, outcome, log, request_id, duration_s, findings)"
                " VALUES (?,?,?,?,'','',0,'[]')",
                (flow.id, number, started_at, AttemptOutcome.INTERRUPTED.value),
            )

        return self._journal.submit(work, durable=False)

    def attempt_withdrawn(self, flow: Flow, started_at: float) -> Awaitable[None]:
        """Forget an attempt whose function was not invoked."""

        def work(batch: Batch) -> None:
            batch.db.execute("DELETE FROM attempts WHERE flow_id = ? AND started_at = ?", (flow.id, started_at))

        return self._journal.submit(work, durable=False)

    def attempt_ended(self, flow: Flow, attempt: Attempt) -> Awaitable[None]:
        """Keep what an attempt came to; a failed one must be on disk before the next begins."""

        def work(batch: Batch) -> None:
            _end_attempt(batch, flow.id, attempt)

        return self._journal.submit(work)

    async def decide(
        self, flow: Flow, outcomes: Sequence[Outcome], *, run: RunState | None = None, attempt: Attempt | None = None
    ) -> None:
        """Keep every recipient's outcome, once and for all, with the attempt that led to it."""
        rows = _outcome_rows(flow, outcomes)

        def work(batch: Batch) -> None:
            if attempt is not None:
                _end_attempt(batch, flow.id, attempt)
            _insert_outcomes(batch, rows)
            # The content that is delivered is the one known now: a later update changes nothing (C4).
            batch.db.execute(
                "UPDATE flows SET delivery = 'decided', run = coalesce(?, run), delivered_version = version,"
                " held_because = NULL WHERE id = ?",
                (run.value if run else None, flow.id),
            )

        await self._journal.submit(work)

    async def deliver(self, flow: Flow, deliver: Callable[[Batch, Path], Sequence[str | None]]) -> list[str | None]:
        """Have `deliver(batch, content)` put the content where each outcome says, and keep those places."""

        def work(batch: Batch) -> list[str | None]:
            row = batch.db.execute("SELECT delivered_version FROM flows WHERE id = ?", (flow.id,)).fetchone()
            places = list(deliver(batch, self._content_path(flow, row[0] or 0)))
            batch.db.executemany(
                "UPDATE outcomes SET place = ? WHERE flow_id = ? AND position = ?",
                [(place, flow.id, position) for position, place in enumerate(places)],
            )
            batch.db.execute("UPDATE flows SET delivery = 'done' WHERE id = ?", (flow.id,))
            return places

        # What a power failure undoes of this is delivered again, once.
        return await self._journal.submit(work, durable=False)

    async def finish_run(
        self, flow: Flow, run: RunState, *, attempt: Attempt | None, failure_record: str | None
    ) -> None:
        """Keep how an asynchronous function ended, with the record its on-failure destination is due."""

        def work(batch: Batch) -> None:
            if attempt is not None:
                _end_attempt(batch, flow.id, attempt)
            batch.db.execute(
                "UPDATE flows SET run = ?, failure_record = ?, held_because = NULL WHERE id = ?",
                (run.value, failure_record, flow.id),
            )

        await self._journal.submit(work)

    async def hold(self, flow: Flow, because: str) -> None:
        """Keep the flow as it is until its function can be run."""

        def work(batch: Batch) -> None:
            delivery = Delivery.HELD if flow.delivery is Delivery.WAITING else flow.delivery
            batch.db.execute(
                "UPDATE flows SET delivery = ?, held_because = ? WHERE id = ?", (delivery.value, because, flow.id)
            )

        await self._journal.submit(work)

    async def reset(self) -> None:
        """Forget every message."""

        def work(batch: Batch) -> None:
            for table in ("outcomes", "attempts", "flows", "messages"):
                batch.db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names

        await self._journal.submit(work)
        await asyncio.to_thread(_empty, self._contents)

    # The message flow service's view (ContentStore)

    async def find(self, message_id: str) -> MessageInTransit | None:
        """Return a flow's message as the message flow service sees it."""
        row = self._db.execute(
            "SELECT f.organization_id, m.direction, m.received_at FROM flows f JOIN messages m ON m.id = f.message_id"
            " WHERE f.id = ?",
            (message_id,),
        ).fetchone()
        if row is None:
            return None
        age_s = self._clock.age(row["received_at"])
        return MessageInTransit(message_id, row["organization_id"], FlowDirection(row["direction"]), age_s)

    async def read(self, message_id: str, *, original: bool = False) -> bytes:
        """Return a flow's content."""
        path = self.content_path(message_id, original=original)
        return path.read_bytes()

    async def update(self, message_id: str, content: bytes) -> None:
        """Keep a new content beside the older ones."""

        def work(batch: Batch) -> None:
            row = batch.db.execute("SELECT version FROM flows WHERE id = ?", (message_id,)).fetchone()
            batch.write_file(self._update_path(message_id, row[0] + 1), content)
            batch.db.execute("UPDATE flows SET version = version + 1 WHERE id = ?", (message_id,))

        await self._journal.submit(work)

    # Reading

    def content_path(self, flow_id: str, *, original: bool = False, delivered: bool = False) -> Path:
        """Return the file of a flow's content: as last updated, as it came in, or as it was delivered."""
        row = self._db.execute(
            "SELECT message_id, version, delivered_version FROM flows WHERE id = ?", (flow_id,)
        ).fetchone()
        version = 0 if original else (row["delivered_version"] or 0) if delivered else row["version"]
        return self._update_path(flow_id, version) if version else self._contents / f"{row['message_id']}.eml"

    def rule_name(self, flow_id: str) -> str | None:
        """Return the name of the rule that decides for a flow, or None."""
        row = self._db.execute("SELECT rule FROM flows WHERE id = ?", (flow_id,)).fetchone()
        return json.loads(row[0])["name"] if row and row[0] else None

    def unfinished(self) -> list[Flow]:
        """Return every flow that is not done, oldest first."""
        rows = self._db.execute(
            "SELECT f.* FROM flows f JOIN messages m ON m.id = f.message_id"
            " WHERE f.delivery <> 'done' OR f.run = 'pending' ORDER BY m.seq, f.position"
        ).fetchall()
        messages: dict[str, Message] = {}
        flows = []
        for row in rows:
            if row["message_id"] not in messages:
                messages[row["message_id"]] = self._message(row["message_id"])
            flows.append(_flow(row, messages[row["message_id"]]))
        return flows

    def outcomes(self, flow_id: str) -> list[Outcome]:
        """Return the decided outcomes of a flow, in order."""
        rows = self._db.execute("SELECT * FROM outcomes WHERE flow_id = ? ORDER BY position", (flow_id,))
        return [
            Outcome(
                recipient=row["recipient"],
                action=row["action"],
                reason=row["reason"],
                bounce_message=row["bounce_message"],
                added=bool(row["added"]),
                place=row["place"],
            )
            for row in rows
        ]

    def attempts(self, flow_id: str) -> list[Attempt]:
        """Return the attempts of a flow, in order."""
        rows = self._db.execute("SELECT * FROM attempts WHERE flow_id = ? ORDER BY number, started_at", (flow_id,))
        return [
            Attempt(
                number=row["number"],
                started_at=row["started_at"],
                ended_at=row["ended_at"],
                outcome=AttemptOutcome(row["outcome"]),
                error_type=row["error_type"],
                error=row["error"],
                reply=row["reply"],
                log=row["log"],
                request_id=row["request_id"],
                duration_s=row["duration_s"],
                fault=row["fault"],
                findings=tuple(json.loads(row["findings"])),
            )
            for row in rows
        ]

    def message(self, message_id: str) -> Message | None:
        """Return the message of this id, or of the flow of this id."""
        row = self._db.execute(
            "SELECT id FROM messages WHERE id = ? UNION SELECT message_id FROM flows WHERE id = ?",
            (message_id, message_id),
        ).fetchone()
        return self._message(row[0]) if row else None

    def messages(self, *, limit: int, before: int | None = None) -> list[tuple[int, Message]]:
        """Return the newest messages with their sequence numbers, older than `before` if it is given."""
        rows = self._db.execute(
            "SELECT * FROM messages WHERE seq < ? ORDER BY seq DESC LIMIT ?", (before or _NEWEST, limit)
        ).fetchall()
        return [(row["seq"], _message(row)) for row in rows]

    def flows(self, message: Message) -> list[Flow]:
        """Return the flows of a message, in order."""
        rows = self._db.execute("SELECT * FROM flows WHERE message_id = ? ORDER BY position", (message.id,))
        return [_flow(row, message) for row in rows]

    def flow_details(self, flow_id: str) -> dict[str, Any]:
        """Return what only a report needs of a flow."""
        row = self._db.execute(
            "SELECT version, delivered_version, failure_record FROM flows WHERE id = ?", (flow_id,)
        ).fetchone()
        return dict(row)

    def counts(self) -> dict[str, int]:
        """Return how many messages there are, and how many flows are in each state."""
        counts = {"messages": self._db.execute("SELECT count(*) FROM messages").fetchone()[0]}
        for delivery in Delivery:
            counts[delivery.value] = 0
        for name, number in self._db.execute("SELECT delivery, count(*) FROM flows GROUP BY delivery"):
            counts[name] = number
        return counts

    def _message(self, message_id: str) -> Message:
        return _message(self._db.execute("SELECT * FROM messages WHERE id = ?", (message_id,)).fetchone())

    def _content_path(self, flow: Flow, version: int) -> Path:
        return self._update_path(flow.id, version) if version else self._contents / f"{flow.message.id}.eml"

    def _update_path(self, flow_id: str, version: int) -> Path:
        return self._contents / f"{flow_id}.{version}.eml"


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _flow_row(position: int, flow: Flow) -> tuple[Any, ...]:
    rule = None if flow.rule is None else json.dumps(flow.rule.to_json())
    return (
        *(flow.id, flow.message.id, position, flow.organization_id, flow.invocation_id, json.dumps(flow.recipients)),
        *(rule, json.dumps(flow.why), int(flow.spam), flow.delivery.value, flow.run.value),
    )


def _outcome_rows(flow: Flow, outcomes: Iterable[Outcome]) -> list[tuple[Any, ...]]:
    return [
        (flow.id, position, one.recipient, str(one.action), one.reason, one.bounce_message, int(one.added))
        for position, one in enumerate(outcomes)
    ]


def _insert_outcomes(batch: Batch, rows: list[tuple[Any, ...]]) -> None:
    batch.db.executemany(
        "INSERT INTO outcomes (flow_id, position, recipient, action, reason, bounce_message, added)"
        " VALUES (?,?,?,?,?,?,?)",
        rows,
    )


def _end_attempt(batch: Batch, flow_id: str, attempt: Attempt) -> None:
    batch.db.execute(
        "UPDATE attempts SET ended_at = ?, outcome = ?, error_type = ?, error = ?, reply = ?, log = ?, request_id = ?,"
        " duration_s = ?, fault = ?, findings = ? WHERE flow_id = ? AND number = ? AND started_at = ?",
        (
            *(attempt.ended_at, attempt.outcome.value, attempt.error_type, attempt.error, attempt.reply, attempt.log),
            *(attempt.request_id, attempt.duration_s, attempt.fault, json.dumps(attempt.findings)),
            *(flow_id, attempt.number, attempt.started_at),
        ),
    )
    batch.db.execute("UPDATE flows SET attempts = ? WHERE id = ?", (attempt.number, flow_id))


def _message(row: sqlite3.Row) -> Message:
    return Message(
        id=row["id"],
        received_at=row["received_at"],
        source=row["source"],
        direction=FlowDirection(row["direction"]),
        mail_from=row["mail_from"],
        recipients=tuple(json.loads(row["recipients"])),
        head=MessageHead(row["subject"], row["from_"], row["sender"]),
        size=row["size"],
    )


def _flow(row: sqlite3.Row, message: Message) -> Flow:
    return Flow(
        id=row["id"],
        message=message,
        organization_id=row["organization_id"],
        recipients=tuple(json.loads(row["recipients"])),
        rule=FlowRule.from_json(json.loads(row["rule"])) if row["rule"] else None,
        why=json.loads(row["why"]),
        invocation_id=row["invocation_id"],
        delivery=Delivery(row["delivery"]),
        run=RunState(row["run"]),
        attempts=row["attempts"],
        first_attempt_at=row["first_attempt_at"],
        held_because=row["held_because"],
        spam=bool(row["spam"]),
    )
