"""`workmail-flow rules observed`: the declared rules beside what WorkMail's event log shows of them."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from workmail_constructs.cli.duration import duration
from workmail_constructs.cli.rules import Json, OrganizationId, Source, declared_rules, one
from workmail_constructs.cli.terminal import echo, echo_json, fail, wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workmail_constructs.watching.event_log import EventLog, LogEstimate
    from workmail_flow.observed import Observation, ObservedFinding, Sightings

DEFAULT_SINCE: Final = "7d"
DEFAULT_MAX_CALLS: Final = 1_000


def register(app: typer.Typer) -> None:
    """Add `observed` to `workmail-flow rules`."""
    app.command()(observed)


def observed(
    source: Source = None,
    *,
    log_group: Annotated[str, typer.Option(metavar="NAME", help="The log group of the organization's email events.")],
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Where to begin: 30m, 12h or 7d ago, or an ISO 8601 date or time.")
    ] = DEFAULT_SINCE,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Where to end; by default now.")] = None,
    max_calls: Annotated[
        int, typer.Option(min=1, help="Answers to read at most; each has up to 1 MB or 10,000 entries.")
    ] = DEFAULT_MAX_CALLS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only estimate how much there is to read.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Fail if rules and log disagree.")] = False,
    show_addresses: Annotated[
        bool, typer.Option("--show-addresses", help="Show the addresses of each finding's sample message.")
    ] = False,
    stack: Annotated[
        str | None,
        typer.Option("--stack", metavar="NAME", help="Read a deployed stack; its rules only, not those of others."),
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="The Region of the log group, and of --stack.")] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="The AWS profile for both.")] = None,
    organization: OrganizationId = None,
    as_json: Json = False,
) -> None:
    """Compare the declared rules with what WorkMail's event log shows of them.

    The rules have to be all of the organization's: if they are in several stacks, give cdk.out. With --strict the exit
    status is 1 if the log disagrees with the rules or was not read to its end.
    """
    from workmail_constructs.watching.event_log import EventLog, EventLogError

    now = datetime.now(UTC)
    begin, end = _time(since, now, option="--since"), _time(until, now, option="--until") if until else now
    if begin >= end:
        raise wrong(f"--since: found {_shown(begin)}, which is not before --until, {_shown(end)}")
    declared = one(declared_rules(source, stack, region, profile, organization))
    try:
        log = EventLog(log_group, region=region, profile=profile)
        if dry_run:
            _show_estimate(log.estimate(begin, end), begin, end, max_calls=max_calls, as_json=as_json)
            return
        found, unread = _observe(declared.rules, log, begin, end, max_calls=max_calls)
    except EventLogError as error:
        fail(str(error))
    if as_json:
        echo_json(
            _as_json(found, log, begin, end, unread=unread, with_addresses=show_addresses)
            | {"organization": declared.organization_id, "logGroup": log_group}
        )
    else:
        _show(found, log, begin, end, unread=unread, with_addresses=show_addresses)
    disagree = log.is_partial or any(finding.is_problem for finding in found.findings)
    raise typer.Exit(1 if strict and disagree else 0)


def _observe(rules: Any, log: EventLog, begin: datetime, end: datetime, *, max_calls: int) -> tuple[Observation, int]:
    """Read the log; return what it shows, and how many entries were not those of WorkMail."""
    from workmail_constructs.watching.event_log import milliseconds
    from workmail_flow.email_events import EmailEvent
    from workmail_flow.observed import RuleObserver

    observer = RuleObserver(rules)
    unread = 0
    with _progress(log, begin, end) as on_page:
        for text, at_ms in log.read(begin, end, max_calls=max_calls, on_page=on_page):
            event = EmailEvent.read(text)
            if event is None:
                unread += 1
            else:
                observer.add(event, at_ms)
    return observer.finish(milliseconds(log.read_until or begin)), unread


@contextmanager
def _progress(log: EventLog, begin: datetime, end: datetime) -> Iterator[Callable[[], None]]:
    """Show on a terminal how far the log is read: a share of the time, for nobody knows how many pages there are."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Reading the event log", total=(end - begin).total_seconds())

        def on_page() -> None:
            read = ((log.read_until or begin) - begin).total_seconds()
            words = f"{log.calls} calls, {log.entries} entries, {log.size_bytes / 1e6:.1f} MB"
            progress.update(task, completed=read, description=words)

        yield on_page


def _time(text: str, now: datetime, *, option: str) -> datetime:
    """Read a time, or a length of time before now. A time without a zone is UTC."""
    try:
        if (ago := duration(text)) is not None:
            return now - ago
        time = datetime.fromisoformat(text)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong(f"{option}: found {text!r}; allowed are 30m, 12h, 7d, or a date or time like 2026-05-31") from None
    if time.year < 1971:  # CloudWatch Logs takes no time before 1970
        raise wrong(f"{option}: found {text!r}; there are no event logs of that time")
    return time


def _shown(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _shown_ms(at_ms: int) -> str:
    return _shown(datetime.fromtimestamp(at_ms / 1000, UTC))


def _show_estimate(estimate: LogEstimate, begin: datetime, end: datetime, *, max_calls: int, as_json: bool) -> None:
    calls = max(1, -(-estimate.size_bytes // 1_000_000))
    if as_json:
        echo_json(
            {
                "since": _shown(begin),
                "until": _shown(end),
                "estimatedBytes": estimate.size_bytes,
                "source": estimate.source,
                "estimatedCalls": calls,
                "maxCalls": max_calls,
            }
        )
        return
    echo(f"From {_shown(begin)} to {_shown(end)} the log group received {estimate}.")
    echo(f"To read it would take about {calls} calls of FilterLogEvents; --max-calls allows {max_calls}.")
    if calls > max_calls:
        echo("That is more than allowed: give a later --since, an earlier --until, or a larger --max-calls.")


# Results


def _show(
    found: Observation, log: EventLog, begin: datetime, end: datetime, *, unread: int, with_addresses: bool
) -> None:
    from workmail_flow.observed import NOT_TOLD, WHY_NOT_JUDGED

    for finding in found.findings:
        colour = typer.colors.YELLOW if finding.is_problem else typer.colors.BLUE
        echo(finding.code, fg=colour, bold=True)
        echo(f"  {finding.message}")
        if finding.sightings:
            echo(f"  {_times(finding.sightings)}")
            if with_addresses:
                for line in _addresses(finding.sightings):
                    echo(f"    {line}")
        echo(f"  {finding.remedy}")
    problems = sum(finding.is_problem for finding in found.findings)
    echo(
        f"{problems} findings, {len(found.findings) - problems} rules without mail; "
        f"{found.messages} messages and {found.recipients} recipients compared, "
        f"read from {_shown(begin)} to {_shown(log.read_until or begin)} ({log.calls} calls, {log.entries} entries)."
    )
    if log.is_partial:
        stopped = _shown(log.read_until or begin)
        echo(
            f"PARTIAL: --max-calls ended the read; nothing is known of {stopped} to {_shown(end)}. "
            f"Go on with --since {stopped}, or give a larger --max-calls.",
            fg=typer.colors.YELLOW,
            bold=True,
        )
    if found.not_judged or unread:
        echo("Not judged:")
    for reason, sightings in found.not_judged.items():
        echo(f"  {sightings.count} {WHY_NOT_JUDGED[reason]}; for example trace {sightings.sample.trace_id}")
    for word, sightings in found.unknown_actions.items():
        echo(f"    action {word!r}: {sightings.count}")
    if unread:
        echo(f"  {unread} entries that are none of WorkMail's")
    echo("What the log does not tell:")
    for text in NOT_TOLD:
        echo(f"  {text}")


def _times(found: Sightings) -> str:
    """Say how often and when."""
    times = "once" if found.count == 1 else f"{found.count} times"
    first, last = _shown_ms(found.first_ms), _shown_ms(found.last_ms)
    when = first if first == last else f"{first} to {last}"
    return f"{times}, {when}; for example trace {found.sample.trace_id}"


def _addresses(found: Sightings) -> Iterator[str]:
    for label, address in (
        ("Sender", found.sample.sender),
        ("From", found.sample.from_),
        ("recipient", found.sample.recipient),
    ):
        if address:
            yield f"{label} {address}"


def _as_json(
    found: Observation, log: EventLog, begin: datetime, end: datetime, *, unread: int, with_addresses: bool
) -> dict[str, Any]:
    from workmail_flow.observed import NOT_TOLD, WHY_NOT_JUDGED

    not_judged = [
        {"reason": reason, "what": WHY_NOT_JUDGED[reason], **_sightings_as_json(sightings, with_addresses=False)}
        for reason, sightings in found.not_judged.items()
    ]
    return {
        "since": _shown(begin),
        "until": _shown(end),
        "readUntil": _shown(log.read_until or begin),
        "partial": log.is_partial,
        "calls": log.calls,
        "entries": log.entries,
        "otherEntries": unread,
        "messages": found.messages,
        "recipients": found.recipients,
        "rules": [
            {"rule": rule, "direction": direction.lower(), "applied": count}
            for (rule, direction), count in found.applied.items()
        ],
        "findings": [_finding_as_json(finding, with_addresses=with_addresses) for finding in found.findings],
        "notJudged": not_judged,
        "unknownActions": {word: sightings.count for word, sightings in found.unknown_actions.items()},
        "notTold": list(NOT_TOLD),
    }


def _finding_as_json(finding: ObservedFinding, *, with_addresses: bool) -> dict[str, Any]:
    return {
        "code": finding.code,
        "problem": finding.is_problem,
        "rule": finding.rule,
        "direction": finding.direction.lower(),
        "other": finding.other,
        "action": finding.action,
        "message": finding.message,
        "remedy": finding.remedy,
        **_sightings_as_json(finding.sightings, with_addresses=with_addresses),
    }


def _sightings_as_json(found: Sightings | None, *, with_addresses: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "count": found.count if found else 0,
        "first": found and _shown_ms(found.first_ms),
        "last": found and _shown_ms(found.last_ms),
        "trace": found and found.sample.trace_id,
    }
    if found and with_addresses:
        sample = found.sample
        shown["addresses"] = {"sender": sample.sender, "from": sample.from_, "recipient": sample.recipient}
    return shown
