"""The record of every message: SQLite for what is known of it, one file for each content."""

from __future__ import annotations

import asyncio
import json
import shutil
from typing import TYPE_CHECKING, Any

from workmail_flow.flow_rule import FlowRule
from workmail_flow.vocabulary import FlowDirection
from workmail_local.message_head import MessageHead
from workmail_local.records import (
    Attempt,
    AttemptOutcome,
    Delivery,
    Flow,
    Message,
    MessageInTransit,
    RecipientOutcome,
    RunState,
)
from workmail_local.store.journal import Journal
from workmail_local.whole_file import write_whole_file

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from workmail_local.clock import Clock

_UNFINISHED = f"delivery <> '{Delivery.DONE}' OR run = '{RunState.PENDING}'"

_NEWEST = 2**63 - 1

_SCHEMA = f"""
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
CREATE INDEX IF NOT EXISTS unfinished ON flows (delivery) WHERE {_UNFINISHED};
CREATE TABLE IF NOT EXISTS invocations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    flow_id TEXT NOT NULL REFERENCES flows (id)
);
CREATE INDEX IF NOT EXISTS invocations_of_flow ON invocations (flow_id);
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

_HOLDS = """(holds(m.id, :word) OR holds(m.subject, :word) OR holds(m.mail_from, :word) OR holds(m.from_, :word)
 OR holds(m.sender, :word) OR EXISTS (SELECT 1 FROM json_each(m.recipients) WHERE holds(value, :word))
 OR EXISTS (SELECT 1 FROM flows f WHERE f.message_id = m.id AND (
  holds(f.id, :word) OR holds(json_extract(f.rule, '$.name'), :word)
  OR EXISTS (SELECT 1 FROM outcomes o WHERE o.flow_id = f.id
   AND (holds(o.action, :word) OR holds(o.recipient, :word))))))"""
"""Whether a message holds a word."""


class Store:
    """Messages on disk. What a coroutine of this class has returned from survives a kill of this process.

    A method that is given a flow also changes that flow, once the change is committed.

    Contents lie in `content/`: each message as it came in, and each update beside it. These files never change, so
    mailboxes can link to them.
    """

    def __init__(self, state: Path, clock: Clock) -> None:
        self._contents = state / "content"
        self._contents.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._journal = Journal(state / "messages.sqlite3", schema=_SCHEMA, functions={"holds": _holds})
        self._db = self._journal.reader

    async def close(self) -> None:
        """Finish writing."""
        await self._journal.close()

    # Writing

    async def accept(
        self, message: Message, content: bytes, flows: Sequence[tuple[Flow, Sequence[RecipientOutcome]]]
    ) -> None:
        """Keep a new message, with the outcomes of each flow whose decision needs no function."""
        rows = [_flow_row(position, flow) for position, (flow, _) in enumerate(flows)]
        outcomes = [row for flow, decided in flows for row in _outcome_rows(flow, decided)]

        def write(db: sqlite3.Connection) -> None:
            write_whole_file(self._contents / f"{message.id}.eml", content)
            db.execute(
                "INSERT INTO messages (id, received_at, source, direction, mail_from, recipients, subject, from_,"
                " sender, size) VALUES (?,?,?,?,?,?,?,?,?,?)",
                (
                    *(message.id, message.received_at, message.source, message.direction, message.mail_from),
                    *(json.dumps(message.recipients), message.head.subject, message.head.from_, message.head.sender),
                    message.size,
                ),
            )
            db.executemany(
                "INSERT INTO flows (id, message_id, position, organization_id, invocation_id, recipients, rule, why,"
                " spam, delivery, run) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                rows,
            )
            _insert_outcomes(db, outcomes)

        await self._journal.submit(write)

    def attempt_started(self, flow: Flow, started_at: float) -> None:
        """Note that the function is invoked. Nobody has to wait for it: what follows is written later."""
        number = flow.attempts + 1
        first = flow.first_attempt_at = flow.first_attempt_at or started_at

        def write(db: sqlite3.Connection) -> None:
            db.execute("UPDATE flows SET first_attempt_at = ? WHERE id = ?", (first, flow.id))
            db.execute(
                "INSERT INTO attempts (flow_id, number, started_at, outcome, log, request_id, duration_s, findings)"
                " VALUES (?,?,?,?,'','',0,'[]')",
                (flow.id, number, started_at, AttemptOutcome.INTERRUPTED),
            )

        self._journal.submit(write)

    async def attempt_withdrawn(self, flow: Flow, started_at: float) -> None:
        """Forget an attempt whose function was not invoked."""

        def write(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM attempts WHERE flow_id = ? AND started_at = ?", (flow.id, started_at))

        await self._journal.submit(write)

    async def attempt_failed(self, flow: Flow, attempt: Attempt) -> None:
        """Keep a failed attempt that will be repeated."""
        await self._change(flow, lambda db: _end_attempt(db, flow, attempt), attempts=attempt.number)

    async def decide(
        self, flow: Flow, outcomes: Sequence[RecipientOutcome], *, run: RunState, attempt: Attempt
    ) -> None:
        """Keep every recipient's outcome, once and for all, and the attempt that led to it."""

        def write(db: sqlite3.Connection) -> None:
            _end_attempt(db, flow, attempt)
            _insert_outcomes(db, _outcome_rows(flow, outcomes))
            # The content known now is delivered: a later update changes nothing (C4).
            db.execute("UPDATE flows SET delivered_version = version WHERE id = ?", (flow.id,))

        await self._change(flow, write, delivery=Delivery.DECIDED, run=run, attempts=attempt.number, held_because=None)

    async def deliver(self, flow: Flow, deliver: Callable[[Path], Sequence[str | None]]) -> None:
        """Let `deliver(content)` put the content where each outcome says, and keep the places it returns."""

        def write(db: sqlite3.Connection) -> None:
            row = db.execute("SELECT delivered_version FROM flows WHERE id = ?", (flow.id,)).fetchone()
            places = deliver(self._file(flow.id, flow.message.id, row[0] or 0))
            db.executemany(
                "UPDATE outcomes SET place = ? WHERE flow_id = ? AND position = ?",
                [(place, flow.id, position) for position, place in enumerate(places)],
            )

        await self._change(flow, write, delivery=Delivery.DONE)

    async def finish_run(
        self, flow: Flow, run: RunState, *, attempt: Attempt, failure_record: str | None = None
    ) -> None:
        """Keep how an asynchronous function ended, and the record for its on-failure destination."""

        def write(db: sqlite3.Connection) -> None:
            _end_attempt(db, flow, attempt)
            db.execute("UPDATE flows SET failure_record = ? WHERE id = ?", (failure_record, flow.id))

        await self._change(flow, write, run=run, attempts=attempt.number, held_because=None)

    async def invoke_again(self, flow: Flow) -> None:
        """Keep that an asynchronous function is to run for this flow once more, as Lambda keeps an accepted event."""

        def write(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO invocations (flow_id) VALUES (?)", (flow.id,))

        await self._journal.submit(write)

    async def begin_again(self, flow: Flow) -> bool:
        """Begin an invocation that `invoke_again` kept, its age and retries counted anew; return whether there is one.

        What is known of the last one's failure is forgotten; its attempts stay.
        """
        if not self.has_invocations(flow):
            return False

        def write(db: sqlite3.Connection) -> None:
            db.execute(
                "DELETE FROM invocations WHERE seq = (SELECT min(seq) FROM invocations WHERE flow_id = ?)", (flow.id,)
            )
            db.execute("UPDATE flows SET failure_record = NULL WHERE id = ?", (flow.id,))

        await self._change(flow, write, run=RunState.PENDING, first_attempt_at=None, held_because=None)
        return True

    async def hold(self, flow: Flow, because: str) -> None:
        """Keep the flow as it is until its function can run."""
        delivery = Delivery.HELD if flow.delivery is Delivery.WAITING else flow.delivery
        await self._change(flow, delivery=delivery, held_because=because)

    async def reset(self) -> None:
        """Forget every message."""

        def write(db: sqlite3.Connection) -> None:
            for table in ("outcomes", "attempts", "invocations", "flows", "messages"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names

        await self._journal.submit(write)
        await asyncio.to_thread(_empty, self._contents)

    async def _change(
        self, flow: Flow, write: Callable[[sqlite3.Connection], None] = lambda _: None, **changes: Any
    ) -> None:
        """Write the changed columns of a flow in one transaction with `write`, then set them on the flow itself."""
        columns = ", ".join(f"{name} = ?" for name in changes)

        def both(db: sqlite3.Connection) -> None:
            write(db)
            db.execute(f"UPDATE flows SET {columns} WHERE id = ?", (*changes.values(), flow.id))  # noqa: S608 - our own

        await self._journal.submit(both)
        for name, value in changes.items():
            setattr(flow, name, value)

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
        return self.content_path(message_id, original=original).read_bytes()

    async def update(self, message_id: str, content: bytes) -> None:
        """Keep a new content beside the older ones."""

        def write(db: sqlite3.Connection) -> None:
            db.execute("UPDATE flows SET version = version + 1 WHERE id = ?", (message_id,))
            row = db.execute("SELECT message_id, version FROM flows WHERE id = ?", (message_id,)).fetchone()
            write_whole_file(self._file(message_id, *row), content)

        await self._journal.submit(write)

    # Reading

    def content_path(self, flow_id: str, *, original: bool = False, delivered: bool = False) -> Path:
        """Return the file of a flow's content: as last updated, as it came in, or as it was delivered."""
        row = self._db.execute(
            "SELECT message_id, version, delivered_version FROM flows WHERE id = ?", (flow_id,)
        ).fetchone()
        version = 0 if original else (row["delivered_version"] or 0) if delivered else row["version"]
        return self._file(flow_id, row["message_id"], version)

    def rule_name(self, flow_id: str) -> str | None:
        """Return the name of the rule that decides for a flow, or None."""
        row = self._db.execute("SELECT rule FROM flows WHERE id = ?", (flow_id,)).fetchone()
        return json.loads(row[0])["name"] if row and row[0] else None

    def unfinished(self) -> list[Flow]:
        """Return every flow that is not done, oldest first."""
        rows = self._db.execute(
            "SELECT f.* FROM flows f JOIN messages m ON m.id = f.message_id"  # noqa: S608 - our own words
            f" WHERE {_UNFINISHED} OR f.id IN (SELECT flow_id FROM invocations) ORDER BY m.seq, f.position"
        ).fetchall()
        messages: dict[str, Message] = {}
        flows = []
        for row in rows:
            if row["message_id"] not in messages:
                messages[row["message_id"]] = self._message(row["message_id"])
            flow = _flow(row, messages[row["message_id"]])
            if flow.first_attempt_at is not None:  # a run whose wall clock was ahead must not stretch the rule timeout
                flow.first_attempt_at = min(flow.first_attempt_at, self._clock.now())
            flows.append(flow)
        return flows

    def has_invocations(self, flow: Flow) -> bool:
        """Return whether `invoke_again` kept an invocation that has not begun."""
        found = self._db.execute("SELECT 1 FROM invocations WHERE flow_id = ? LIMIT 1", (flow.id,)).fetchone()
        return found is not None

    def attempts_before(self, flow: Flow) -> int:
        """Return the number of attempts that belong to earlier invocations of a flow's asynchronous function."""
        if flow.first_attempt_at is None:
            return flow.attempts
        found = self._db.execute(
            "SELECT max(number) FROM attempts WHERE flow_id = ? AND started_at < ? AND outcome <> ?",
            (flow.id, flow.first_attempt_at, AttemptOutcome.INTERRUPTED),
        ).fetchone()
        return found[0] or 0

    def flow(self, flow_id: str) -> Flow | None:
        """Return the flow of this id."""
        row = self._db.execute("SELECT * FROM flows WHERE id = ?", (flow_id,)).fetchone()
        return _flow(row, self._message(row["message_id"])) if row else None

    def outcomes(self, flow_id: str) -> list[RecipientOutcome]:
        """Return the decided outcomes of a flow, in order."""
        rows = self._db.execute("SELECT * FROM outcomes WHERE flow_id = ? ORDER BY position", (flow_id,))
        return [RecipientOutcome(**_fields(row, added=bool(row["added"]))) for row in rows]

    def attempts(self, flow_id: str) -> list[Attempt]:
        """Return the attempts of a flow, in order."""
        rows = self._db.execute("SELECT * FROM attempts WHERE flow_id = ? ORDER BY number, started_at", (flow_id,))
        return [
            Attempt(**_fields(row, outcome=AttemptOutcome(row["outcome"]), findings=tuple(json.loads(row["findings"]))))
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

    async def search(self, words: Sequence[str], *, limit: int, before: int | None = None) -> list[tuple[int, Message]]:
        """Return the newest messages that hold every word, as `messages` does.

        A word counts in the subject, an address, an id, the name of a rule or an action, in whatever case.
        """
        held = " AND ".join(_HOLDS.replace(":word", f":word{number}") for number in range(len(words)))
        values = {f"word{number}": word.casefold() for number, word in enumerate(words)}
        rows = await self._journal.read_apart(
            f"SELECT * FROM messages m WHERE seq < :before AND {held} ORDER BY seq DESC LIMIT :limit",  # noqa: S608 - our own words
            {**values, "before": before or _NEWEST, "limit": limit},
        )
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

    def _file(self, flow_id: str, message_id: str, version: int) -> Path:
        return self._contents / (f"{flow_id}.{version}.eml" if version else f"{message_id}.eml")


def _holds(text: str | None, word: str) -> bool:
    """Whether text holds a word that is casefolded already; SQLite's own LIKE knows the case of ASCII letters only.

    Nothing is normalized: of a run of combining marks, which a sender may write, that takes quadratic time.
    """
    return text is not None and word in text.casefold()


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def _flow_row(position: int, flow: Flow) -> tuple[Any, ...]:
    rule = None if flow.rule is None else json.dumps(flow.rule.to_json())
    return (
        *(flow.id, flow.message.id, position, flow.organization_id, flow.invocation_id, json.dumps(flow.recipients)),
        *(rule, json.dumps(flow.why), int(flow.spam), flow.delivery, flow.run),
    )


def _outcome_rows(flow: Flow, outcomes: Iterable[RecipientOutcome]) -> list[tuple[Any, ...]]:
    return [
        (flow.id, position, one.recipient, one.action, one.reason, one.bounce_message, int(one.added))
        for position, one in enumerate(outcomes)
    ]


def _insert_outcomes(db: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    db.executemany(
        "INSERT INTO outcomes (flow_id, position, recipient, action, reason, bounce_message, added)"
        " VALUES (?,?,?,?,?,?,?)",
        rows,
    )


def _end_attempt(db: sqlite3.Connection, flow: Flow, attempt: Attempt) -> None:
    db.execute(
        "UPDATE attempts SET ended_at = ?, outcome = ?, error_type = ?, error = ?, reply = ?, log = ?, request_id = ?,"
        " duration_s = ?, fault = ?, findings = ? WHERE flow_id = ? AND number = ? AND started_at = ?",
        (
            *(attempt.ended_at, attempt.outcome, attempt.error_type, attempt.error, attempt.reply, attempt.log),
            *(attempt.request_id, attempt.duration_s, attempt.fault, json.dumps(attempt.findings)),
            *(flow.id, attempt.number, attempt.started_at),
        ),
    )


def _fields(row: sqlite3.Row, **converted: Any) -> dict[str, Any]:
    """Return the fields of an outcome or attempt: the columns of its row, but for its place in the table."""
    columns = {name: row[name] for name in row.keys() if name not in ("flow_id", "position")}  # noqa: SIM118 - a Row
    return {**columns, **converted}


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
