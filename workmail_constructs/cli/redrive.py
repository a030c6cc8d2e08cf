"""`workmail-flow redrive`: send the events that an asynchronous rule's function failed on to the function again."""

from __future__ import annotations

import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from workmail_constructs.cli.duration import duration
from workmail_constructs.cli.terminal import INTERRUPTED, echo, echo_json, fail, printable, wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta

    from workmail_constructs.watching.failed_events import FailedEvent, Redrive

_NOT_KNOWN: Final = "-"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(redrive)


def _age_limit(value: str | None) -> timedelta | None:
    if value is None:
        return None
    found = duration(value)
    if found is None:
        raise wrong(f"found {value!r}; allowed is a number of minutes, hours or days, like 18h")
    return found


def redrive(
    source: Annotated[
        str,
        typer.Argument(metavar="QUEUE|STACK", help="A queue's URL, ARN or name, or a deployed stack's name or ARN."),
    ],
    *,
    region: Annotated[str | None, typer.Option("--region", help="The Region of the queue or stack.")] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="The AWS profile.")] = None,
    function: Annotated[
        str | None, typer.Option("--function", metavar="NAME", help="Only events of this function: its name or ARN.")
    ] = None,
    error: Annotated[
        str | None, typer.Option("--error", metavar="TYPE", help="Only events whose last error is of this type.")
    ] = None,
    message_id: Annotated[
        list[str] | None,
        typer.Option("--message-id", metavar="ID", help="Only the events of this message; may be repeated."),
    ] = None,
    newer_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Only events that failed less than this ago, like 30m, 18h, 2d.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Only events that failed at least this ago.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most this many events, the oldest first.", min=1)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the events and send nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Send without asking.")] = False,
    show_addresses: Annotated[
        bool, typer.Option("--show-addresses", help="Show senders, recipients, subjects and error messages too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")] = False,
) -> None:
    """Send the events that an asynchronous rule's function failed on to the function again, once each.

    An event leaves the queue after Lambda took it, and never before. What is not sent is in the queue as before.
    """
    newer, older = _age_limit(newer_than), _age_limit(older_than)
    if not (yes or dry_run) and (as_json or not _at_terminal()):
        fail("nobody can be asked here: give --yes to send, or --dry-run to look only", status=2)
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from workmail_constructs.watching.failed_events import Filters, Redrive, RedriveError, client, find_source
    from workmail_flow.rule_problems import RuleError
    from workmail_flow.template import TemplateError

    filters = Filters(
        function=function,
        error_type=error,
        message_ids=frozenset(message_id or ()),
        newer_than=newer,
        older_than=older,
    )
    try:
        if profile is not None:
            boto3.setup_default_session(profile_name=profile)
        found = find_source(source, region=region)
        run = Redrive(
            source=found,
            sqs=client("sqs", found.region),
            awslambda=client("lambda", found.region),
            filters=filters,
            limit=limit,
        )
        for note in found.notes:
            echo(note, err=True)
        _run(run, dry_run=dry_run, yes=yes, show_addresses=show_addresses, as_json=as_json)
    except (RedriveError, RuleError, TemplateError) as problem:
        fail(str(problem))
    except (BotoCoreError, ClientError) as problem:
        fail(f"{source}: {problem}")


def _run(run: Redrive, *, dry_run: bool, yes: bool, show_addresses: bool, as_json: bool) -> None:
    interrupted = False
    from workmail_constructs.watching.failed_events import HOLD_S, Result

    try:
        with run.holding():
            with _progress("Receiving") as advance:
                for seen in run.receive():
                    advance(seen, None)
            if not as_json:
                _show(run, show_addresses=show_addresses)
            _warn(run)
            if run.events and not dry_run and (yes or typer.confirm(_question(run), err=True)):
                interrupted = _send(run)
    except (KeyboardInterrupt, typer.Abort):
        interrupted = True
        echo("", err=True)
    for event in run.events:
        if event.error is not None:
            _report(event)
    if as_json:
        echo_json(_as_json(run, show_addresses=show_addresses))
    else:
        _sum_up(run, dry_run=dry_run)
    if run.hidden:
        echo(f"{run.hidden} messages stay hidden in the queue for up to {HOLD_S // 60} minutes", err=True)
    if interrupted:
        raise typer.Exit(INTERRUPTED)
    if any(event.result not in (None, Result.SENT) for event in run.events):
        raise typer.Exit(1)


def _send(run: Redrive) -> bool:
    """Send until all are sent or Ctrl-C asks to stop, which waits for the event at hand; return whether it did."""
    with _interruptible() as interrupted, _progress("Sending") as advance:
        for number, _ in enumerate(run.send(), 1):
            advance(number, len(run.events))
            if interrupted():
                return True
    return False


def _report(event: FailedEvent) -> None:
    from workmail_constructs.watching.failed_events import Result

    which = f"message {event.record.message_id or _NOT_KNOWN}, request {event.record.request_id}"
    if event.result is Result.NOT_DELETED:
        echo(
            f"SENT BUT NOT DELETED: {which}: Lambda took the event, but it is still in the queue ({event.error}). "
            "Delete it there, or the next run sends it once more (E7).",
            err=True,
            fg=typer.colors.RED,
            bold=True,
        )
    else:
        echo(f"not sent: {which}: {event.error}", err=True, fg=typer.colors.YELLOW)


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Have Ctrl-C only be noted while the context is open."""
    asked: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: asked.append(number))
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show progress on standard error, if that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _show(run: Redrive, *, show_addresses: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Column, Table
    from rich.text import Text

    from workmail_constructs.cli.local_view import print_rich

    if not run.events:
        return
    # An id is copied, so it stays in one line; the other columns shrink in a narrow terminal.
    table = Table(
        *(Column(name, no_wrap=True) for name in ("failed (UTC)", "age")),
        *("function", "condition", "error", "attempts"),
        Column("message id", no_wrap=True),
        "content",
        box=SIMPLE_HEAD,
        show_edge=False,
    )
    for event in run.events:
        record = event.record
        cells = (
            f"{record.timestamp:%m-%d %H:%M}",
            _age(run.now - record.timestamp),
            record.invoked.partition(":function:")[2],
            record.condition,
            record.error_type or _NOT_KNOWN,
            record.invoke_count,
            record.message_id or _NOT_KNOWN,
            event.content,
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    print_rich(table)
    for event in run.events if show_addresses else ():
        echo(f"message {event.record.message_id or _NOT_KNOWN}, request {event.record.request_id}")
        for name, value in _private(event).items():
            echo(f"  {name}: {' '.join(value.split())}")


def _private(event: FailedEvent) -> dict[str, str]:
    """Return what may hold addresses or words of the message."""
    envelope = event.record.event["envelope"]
    recipients = [one.get("address") for one in envelope["recipients"] if isinstance(one, dict)]
    sender = envelope.get("mailFrom")
    return {
        "from": str(sender.get("address")) if isinstance(sender, dict) else "",
        "to": ", ".join(map(str, recipients)),
        "subject": str(event.record.event.get("subject", "")),
        "errorMessage": event.record.error_message or "",
    }


def _warn(run: Redrive) -> None:
    """Say before anything is sent what a function will not find, and what stays."""
    counts = _contents(run)
    gone, may_be_gone = counts["gone"], counts["may be gone"]
    if gone or may_be_gone:
        echo(
            f"Message content: gone for {_events(gone)}, may be gone for {_events(may_be_gone)}. It can be read for 24 "
            "hours (C2), so a function that reads it fails on these again. --newer-than 18h leaves them.",
            err=True,
            fg=typer.colors.YELLOW,
        )
    for reason, count in sorted(run.left.items()):
        echo(f"left in the queue: {count} of {run.seen} messages: {reason}", err=True)
    if run.filtered:
        echo(f"left in the queue: {_events(run.filtered)} that the options leave out", err=True)


def _question(run: Redrive) -> str:
    functions = {event.record.invoked for event in run.events}
    return f"Send {_events(len(run.events))} to {len(functions)} function{'s' * (len(functions) != 1)} again?"


def _sum_up(run: Redrive, *, dry_run: bool) -> None:
    from workmail_constructs.watching.failed_events import Result

    if not run.events:
        echo("No failed events to send.")
        return
    if dry_run:
        echo(f"{_events(len(run.events))}; nothing was sent (--dry-run).")
        return
    sent = sum(event.result in (Result.SENT, Result.NOT_DELETED) for event in run.events)
    echo(f"Sent {sent} of {_events(len(run.events))}; {len(run.events) - sent} in the queue as before.")


def _as_json(run: Redrive, *, show_addresses: bool) -> dict[str, Any]:
    return {
        "queues": [queue.arn for queue in run.source.queues],
        "events": [_event_as_json(event, show_addresses=show_addresses) for event in run.events],
        "content": _contents(run),
        "filtered": run.filtered,
        "left": dict(sorted(run.left.items())),
    }


def _event_as_json(event: FailedEvent, *, show_addresses: bool) -> dict[str, Any]:
    record = event.record
    return {
        "failedAt": record.timestamp.isoformat().replace("+00:00", "Z"),
        "function": record.invoked,
        "condition": record.condition,
        "errorType": record.error_type,
        "attempts": record.invoke_count,
        "requestId": record.request_id,
        "messageId": record.message_id,
        "invocationId": record.invocation_id,
        "content": event.content,
        "copies": len(event.messages),
        "result": event.result,
        "error": event.error,
    } | (_private(event) if show_addresses else {})


def _contents(run: Redrive) -> dict[str, int]:
    from workmail_constructs.watching.failed_events import Content

    return {state.value: sum(event.content is state for event in run.events) for state in Content}


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"


def _age(age: timedelta) -> str:
    minutes = max(0, int(age.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} d"


def _at_terminal() -> bool:
    return sys.stdin.isatty()
