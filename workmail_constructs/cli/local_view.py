"""What `workmail-flow local` shows to people."""

from __future__ import annotations

import json
import queue
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from workmail_constructs.cli.terminal import printable
from workmail_flow.metrics_log import read_metrics_log
from workmail_flow.step_log import read_step_log, step_lines
from workmail_local.server.client import ApiFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from workmail_local.server.client import Client
    from workmail_local.server.daemon import Daemon

_LIVE_ROWS = 20
_LISTED_RECIPIENTS = 5
_REFRESH_S = 1.0
_NO_TERMINAL_WIDTH = 160


def endpoints(daemon: Daemon, heading: str) -> str:
    """Return where the local WorkMail listens, and the login of the submission port."""
    ready = daemon.ready
    login = f"user {ready['submission_user']}, password {ready['submission_password']}"
    return "\n".join(
        [
            f"{heading} Process {ready['pid']}, state in {daemon.state}",
            f"page            {ready['api']}/#token={ready['token']}",
            f"SMTP inbound    {ready['smtp']}",
            f"submission      {ready['submission']}, {login} (outbound)",
            f"HTTP API        {ready['api']}/v1/status?token={ready['token']}",
            f"AWS endpoint    {ready['aws_endpoint']} ({ready['region']}, account {ready['account']})",
        ]
    )


def status_lines(daemon: Daemon, found: dict[str, Any]) -> str:
    """Return what `status` shows."""
    lines = [endpoints(daemon, "Running.")]
    lines.append(f"stacks          {', '.join(found['stacks']) or 'none; deploy with `workmail-flow local deploy`'}")
    for organization in found["organizations"]:
        domains = ", ".join(organization["domains"]) or "any domain"
        lines.append(f"organization    {organization['organizationId']}: {domains}; {organization['rules']} rules")
    lines += [
        f"account         {account}: access key id {key}; see `workmail-flow local env --account {account}`"
        for account, key in found["accounts"].items()
        if account != daemon.ready["account"]
    ]
    counts = found["counts"]
    lines.append(f"messages        {counts['messages']}, in flight {found['inFlight']}, held {counts['held']}")
    if found["faults"]:
        lines.append(f"faults          {found['faults']} active: see `workmail-flow local faults list`")
    return "\n".join(lines)


def print_rich(renderable: RenderableType) -> None:
    """Print as wide as the terminal; wider if the output is no terminal."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_NO_TERMINAL_WIDTH)
    console.print(renderable)


def message_table(messages: list[dict[str, Any]]) -> Table:
    """Return the messages with one row per recipient; a long list of recipients is cut, with their number."""
    # Columns that may wrap shrink first in a narrow terminal; their cells are cut, not wrapped.
    table = Table(
        *(Column(name, no_wrap=True) for name in ("id", "received")),
        *("from", "recipient", "subject", "rule"),
        Column("action", no_wrap=True),
        Column("state", min_width=len("in transit"), max_width=30),
        # Lines between the columns would take a quarter of an 80-column terminal.
        box=SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    for message in messages:
        recipients = message["recipients"]
        # A single one more is shown, not counted.
        listed = recipients[:_LISTED_RECIPIENTS] if len(recipients) > _LISTED_RECIPIENTS + 1 else recipients
        for position, one in enumerate(listed):
            first = position == 0
            cells = [
                message["id"][:8] if first else "",
                message["receivedAt"][11:19] if first else "",
                (message["mailFrom"] or "<>") if first else "",
                one["recipient"],
                message["subject"] if first else "",
                one["rule"] or "none",
                one["action"] or "…",
            ]
            state = _text(message["state"])
            if message["failure"]:
                state = _text(message["failure"], style="bold red")
            one_line = (_text(" ".join(cell.split()), no_wrap=True, overflow="ellipsis") for cell in cells)
            table.add_row(*one_line, state if first else "")
        if more := len(recipients) - len(listed):
            table.add_row("", "", "", _text(f"and {more} more", style="dim", no_wrap=True))
    return table


def outcome_table(message: dict[str, Any]) -> Table:
    """Return each recipient's outcome, and why."""
    table = Table("recipient", "rule", "action", "why", "where", show_lines=False)
    for one in message["recipients"]:
        added = " (added, Bcc)" if one["added"] else ""
        table.add_row(
            _text(one["recipient"] + added),
            _text(one["rule"] or "none matched"),
            _text(one["action"] or "undecided"),
            _text(one["why"]),
            _text(_where(one)),
        )
    return table


def failed_attempts(message: dict[str, Any]) -> list[str]:
    """Return a line for each attempt that has ended without a valid reply, in order."""
    return [
        f"attempt {attempt['number']} of rule {flow['rule']['name']}: {_attempt_line(attempt)}"
        for flow in message["flows"]
        for attempt in flow["attempts"]
        if attempt["endedAt"] and attempt["outcome"] != "replied"
    ]


def print_outcome(message: dict[str, Any], changes: list[str]) -> None:
    """Print what `send` shows of one message, except for its failed attempts, which it showed as they happened."""
    print_rich(_text(f"{message['file']}: message {message['id']}, {message['failure'] or message['state']}"))
    print_rich(outcome_table(message))
    for flow in message["flows"]:
        for attempt in flow["attempts"]:
            for line in step_lines(attempt["steps"]):
                print_rich(_text(f"attempt {attempt['number']}: {line}"))
            for finding in attempt["findings"]:
                print_rich(_text(f"attempt {attempt['number']}: found: {finding}"))
    for change in changes:
        print_rich(_text(change))


def print_detail(message: dict[str, Any], changes: list[str]) -> None:
    """Print everything about a message."""
    print_rich(_text(f"message {message['id']}, {message['failure'] or message['state']}"))
    print_rich(
        _text(
            f"{message['direction'].lower()}, {message['source']}, {message['receivedAt']}, {message['size']:,} bytes, "
            f"from {message['mailFrom'] or '<>'}"
        )
    )
    print_rich(outcome_table(message))
    for flow in message["flows"]:
        print_rich(_text(f"rule {flow['rule']['name'] if flow['rule'] else 'none'}", style="bold"))
        for recipient, why in flow["why"].items():
            print_rich(_text(f"  {recipient}: {why['reason']}"))
            for lost in why["lost"]:
                print_rich(_text(f"    not {lost['rule']}: {lost['reason']}"))
        if flow["heldBecause"]:
            print_rich(_text(f"held: {flow['heldBecause']}", style="bold"))
        if flow["event"]:
            print_rich(_text("event:"))
            print_rich(_text(json.dumps(flow["event"], indent=2, ensure_ascii=False)))
        for attempt in flow["attempts"]:
            print_rich(_text(f"attempt {attempt['number']}: {_attempt_line(attempt)}", style="bold"))
            for finding in attempt["findings"]:
                print_rich(_text(f"  found: {finding}"))
            if attempt["reply"] is not None:
                print_rich(_text("  reply: " + json.dumps(attempt["reply"], ensure_ascii=False)[:4000]))
            steps, log = read_step_log(attempt["log"])
            for line in step_lines(steps):
                print_rich(_text(f"  {line}"))
            counted, log = read_metrics_log(log)
            for line in counted:
                print_rich(_text(f"  metrics: {line}"))
            for line in log.splitlines():
                print_rich(_text(f"  | {line}"))
        if flow["failureRecord"]:
            kept = flow["failureRecord"]
            sent = kept["prevented"] or "sent"
            print_rich(_text(f"on-failure destination {kept['destination']}: {sent}"))
    for change in changes:
        print_rich(_text(change))


def _text(text: object, **style: Any) -> Text:
    """Return text as it is safe to print; rich reads no markup in it."""
    return Text(printable(text), **style)


def changes_of(client: Client, message: dict[str, Any]) -> list[str]:
    """Return what functions changed in a message, as diffs."""
    if not any(flow["deliveredUpdate"] for flow in message["flows"]):
        return []
    return [change["diff"] for change in client.get(f"/v1/messages/{message['id']}/diff")["changes"]]


def new_logs(client: Client, *, limit: int) -> Iterator[dict[str, Any]]:
    """Yield what functions wrote: for the newest messages, then for each invocation as it ends.

    Raises:
        ApiFailedError: The local WorkMail has ended.
    """
    shown: dict[str, set[str]] = {}
    for _ in _whenever_something_happens(client):
        for message in client.get("/v1/messages", limit=limit)["messages"][::-1]:
            of_message = shown.setdefault(message["id"], set())
            if message["attempts"] <= len(of_message):
                continue
            for entry in client.get(f"/v1/messages/{message['id']}/logs")["logs"]:
                key = f"{entry['rule']} {entry['attempt']} {entry['startedAt']}"
                if entry["endedAt"] and key not in of_message:
                    of_message.add(key)
                    yield entry
        limit = 1000  # whatever comes meanwhile


def _whenever_something_happens(client: Client) -> Iterator[None]:
    """Yield at once, after each event of the local WorkMail, and every second."""
    happened: queue.SimpleQueue[None] = queue.SimpleQueue()

    def listen() -> None:
        with suppress(OSError, ValueError):
            for _ in client.events():
                happened.put(None)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        yield
        with suppress(queue.Empty):
            happened.get(timeout=_REFRESH_S)
            while not happened.empty():
                happened.get()


def watch(daemon: Daemon) -> None:
    """Show the newest messages, updated with each event, until Ctrl-C or the end of the local WorkMail."""
    with suppress(KeyboardInterrupt, ApiFailedError), Live(refresh_per_second=8) as live:
        for _ in _whenever_something_happens(daemon.client):
            newest = daemon.client.get("/v1/messages", limit=_LIVE_ROWS)["messages"]
            status = daemon.client.get("/v1/status")
            counts = status["counts"]
            heading = (
                f"{counts['messages']} messages, {status['inFlight']} in flight, {counts['held']} held; "
                f"stacks: {', '.join(status['stacks']) or 'none'}; Ctrl-C ends this view only"
            )
            live.update(Group(_text(heading), message_table(newest)))


def _where(outcome: dict[str, Any]) -> str:
    """Return where the message is, in a few words; `--json` has the file."""
    if outcome["action"] == "DROP":
        return "nowhere"
    if outcome["place"] is None:
        return "nobody to notify" if outcome["action"] == "BOUNCE" else ""
    root, *rest = outcome["place"].split("/")
    place = rest[1] if root == "mailboxes" else "outbound spool"
    return f"notification: {rest[0] if root == 'mailboxes' else place}" if outcome["action"] == "BOUNCE" else place


def _attempt_line(attempt: dict[str, Any]) -> str:
    error = ": ".join(filter(None, (attempt["errorType"], attempt["error"])))
    fault = f" (injected fault {attempt['fault']})" if attempt["fault"] else ""
    return f"{attempt['outcome']} after {attempt['durationS']:.3f} s{fault}{'; ' + error if error else ''}"
