"""`workmail-flow try`: run a handler folder on messages, without a stack."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from workmail_constructs.cli.terminal import echo, echo_json
from workmail_flow.metrics_log import read_metrics_log
from workmail_flow.step_log import read_step_log, step_lines

if TYPE_CHECKING:
    from workmail_local.mail.envelope import Envelope
    from workmail_local.trial.handler_trials import Trial, TriedHandler

DEFAULT_RECIPIENT: Final = "recipient@example.com"
"""For a message whose header names no recipient."""

_RESERVED: Final = re.compile(
    r"_HANDLER|_X_AMZN_TRACE_ID|AWS_(DEFAULT_)?REGION|AWS_EXECUTION_ENV|AWS_LAMBDA_.*|AWS_(ACCESS_KEY|ACCESS_KEY_ID"
    r"|SECRET_ACCESS_KEY|SESSION_TOKEN)|LAMBDA_(TASK_ROOT|RUNTIME_DIR)"
)
_LOG_INDENT: Final = "    | "


@dataclass(frozen=True, slots=True)
class _Message:
    path: Path
    content: bytes
    envelope: Envelope


def register(app: typer.Typer) -> None:
    """Add `try` to the command tree."""
    app.command("try", no_args_is_help=True)(try_handler)


def try_handler(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder that holds the handler; with --rule, a CDK app or a synthesized one.", metavar="FOLDER"
        ),
    ],
    *,
    message: Annotated[list[Path], typer.Option(help="A message file (RFC 5322); may be repeated.", metavar="FILE")],
    handler: Annotated[str | None, typer.Option(help="Module and function, for example app.handler.")] = None,
    rule: Annotated[
        str | None, typer.Option(help="Instead of a handler: a rule of the app, with its steps.", metavar="NAME")
    ] = None,
    include: Annotated[
        list[Path] | None,
        typer.Option(help="A folder or module to import from beside FOLDER; may be repeated.", metavar="PATH"),
    ] = None,
    direction: Annotated[str | None, typer.Option(help="inbound (the default) or outbound.")] = None,
    run: Annotated[
        str | None,
        typer.Option(help="synchronous (the reply decides, the default) or asynchronous (the reply is ignored, R10)."),
    ] = None,
    mail_from: Annotated[
        str | None,
        typer.Option(
            help="Envelope sender, <> for that of a bounce. Default: Return-Path, else Sender, else From.",
            metavar="ADDRESS",
        ),
    ] = None,
    rcpt: Annotated[
        list[str] | None,
        typer.Option(help="Envelope recipient; may be repeated. Default: To, Cc and Bcc.", metavar="ADDRESS"),
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option(help="A variable of the function; may be repeated.", metavar="NAME=VALUE")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the resulting messages, each under its file's name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print only JSON on standard output.")] = False,
) -> None:
    """Run a handler folder, or the steps of an app's rule, on messages and show what WorkMail would do.

    Exit status 0: every invocation succeeded. 1: an invocation failed or its reply is not valid. 2: wrong arguments.
    """
    _require_local_extra()
    problems: list[str] = []
    tried = None
    if rule is None:
        tried = _tried(
            problems, folder, handler, include or [], direction or "inbound", run or "synchronous", env or []
        )
    else:
        given = {"--handler": handler, "--include": include, "--direction": direction, "--run": run}
        problems += (f"{name}: found beside --rule; the rule says it" for name, value in given.items() if value)
    environment = dict(_variable(problems, entry) for entry in env or []) if rule is not None else {}
    messages = _messages(problems, message, mail_from, rcpt or [])
    problems += _out_problems(message, out)
    _exit_with(problems)

    import asyncio

    with tempfile.TemporaryDirectory(prefix="workmail-flow-try-") as output:
        tried = tried or _rule(folder, str(rule), environment, Path(output))
        failed = asyncio.run(_run(tried, messages, out=out, as_json=as_json))
    raise typer.Exit(1 if failed else 0)


def _exit_with(problems: list[str]) -> None:
    if problems:
        for problem in problems:
            echo(problem, err=True)
        raise typer.Exit(2)


def _rule(app: Path, name: str, environment: dict[str, str], output: Path) -> TriedHandler:
    from workmail_local.trial.synthesized_rule import SynthesizedRuleError, find_rule, synthesized

    try:
        if not (app / "manifest.json").is_file():
            _progress(f"synthesizing {app}")
        return find_rule(synthesized(app, output), name, environment=environment)
    except SynthesizedRuleError as error:
        echo(str(error), err=True)
        raise typer.Exit(2) from error


async def _run(tried: TriedHandler, messages: list[_Message], *, out: Path | None, as_json: bool) -> bool:
    """Try each message in turn; return whether any failed."""
    from workmail_local.functions.unpacked_code import CodeError
    from workmail_local.trial.handler_trials import HandlerTrials

    failed = False
    documents: list[dict[str, Any]] = []
    try:
        async with HandlerTrials(tried, work=_cache(), progress=_progress) as trials:
            for message in messages:
                trial = await trials.run(message.content, message.envelope)
                failed = failed or not trial.ok
                written = _write(trial, message.path, out) if out else None
                if as_json:
                    path = str(written) if written else None
                    documents.append({"message": str(message.path), **trial.to_json(), "written": path})
                else:
                    echo(_report(trial, message.path, written))
    except CodeError as error:
        echo(str(error), err=True)
        failed = True
    if as_json:
        echo_json(documents)
    return failed


def _require_local_extra() -> None:
    try:
        import_module("workmail_local.trial.handler_trials")
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("workmail"):
            raise
        text = f"running handlers needs packages that a plain install does not have (no module named {missing.name!r})"
        echo(f"{text}: pip install 'workmail-constructs[local]'", err=True)
        raise typer.Exit(1) from missing


# Arguments


def _tried(
    problems: list[str],
    folder: Path,
    handler: str | None,
    include: list[Path],
    direction: str,
    run: str,
    env: list[str],
) -> TriedHandler | None:
    from workmail_flow.vocabulary import FlowDirection
    from workmail_local.trial.handler_name import handler_problem
    from workmail_local.trial.handler_trials import TriedHandler

    if handler is None:
        problems.append("--handler: found none; name it, or a rule of an app with --rule")
        handler = ""
    elif problem := handler_problem(folder, handler):
        problems.append(problem)
    problems += (
        f"--include: found {path}, which does not exist; allowed is a folder or module"
        for path in include
        if not path.exists()
    )
    if direction.upper() not in tuple(FlowDirection):
        problems.append(f"--direction: found {direction!r}; allowed are inbound and outbound")
    if run not in ("synchronous", "asynchronous"):
        problems.append(f"--run: found {run!r}; allowed are synchronous and asynchronous")
    environment = dict(_variable(problems, entry) for entry in env)
    if problems:
        return None
    return TriedHandler(
        folder=folder,
        handler=handler,
        include=tuple(path.resolve() for path in include),
        direction=FlowDirection(direction.upper()),
        synchronous=run == "synchronous",
        environment=environment,
    )


def _variable(problems: list[str], entry: str) -> tuple[str, str]:
    name, equals, value = entry.partition("=")
    if not equals or not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
        problems.append(f"--env: found {entry!r}; allowed is NAME=VALUE with a name of letters, digits and _")
    elif _RESERVED.fullmatch(name):
        problems.append(f"--env: {name} is reserved by Lambda; a function cannot set it")
    return name, value


def _messages(problems: list[str], paths: list[Path], mail_from: str | None, recipients: list[str]) -> list[_Message]:
    from workmail_flow.address import address_problem
    from workmail_local.mail.envelope import NULL_REVERSE_PATH, envelope_of

    if mail_from not in (None, "", NULL_REVERSE_PATH) and (problem := address_problem(mail_from)):
        problems.append(f"--mail-from: found {mail_from!r}; {problem}; allowed are mailbox@domain and <>")
    for recipient in recipients:
        if problem := address_problem(recipient):
            problems.append(f"--rcpt: found {recipient!r}; {problem}; allowed is mailbox@domain")
    read = []
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError as error:
            problems.append(f"--message: {path} cannot be read: {error.strerror}")
            continue
        if not content.strip():
            problems.append(f"--message: {path} is empty; allowed is a message (RFC 5322)")
            continue
        envelope = envelope_of(content, mail_from=mail_from, recipients=recipients)
        if not envelope.recipients:
            envelope = replace(envelope, recipients=(DEFAULT_RECIPIENT,))
        read.append(_Message(path, content, envelope))
    return read


def _out_problems(paths: list[Path], out: Path | None) -> list[str]:
    if out is None:
        return []
    if out.exists() and not out.is_dir():
        return [f"--out: found {out}, which is a file; allowed is a folder, which need not exist"]
    problems = []
    names = [path.name for path in paths]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(f"--out: several messages have the name {name}; one would overwrite the other")
    for path in paths:
        target = out / path.name
        if target.exists() and path.exists() and target.samefile(path):
            problems.append(f"--out: {target} is the message itself, which would be overwritten; name another folder")
    return problems


def _cache() -> Path:
    """Return the folder that keeps resolved requirements and unpacked code between runs."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "workmail-constructs" / "try"


# Output


def _progress(text: str) -> None:
    echo(f"==> {text}", err=True)


def _write(trial: Trial, path: Path, out: Path) -> Path:
    """Write the message that goes on, byte for byte."""
    out.mkdir(parents=True, exist_ok=True)
    target = out / path.name
    target.write_bytes(trial.after)
    return target


def _report(trial: Trial, path: Path, written: Path | None) -> str:
    """Return the result of one trial, for people."""
    invocation = trial.invocation
    init = f", cold start {invocation.init_s * 1000:.0f} ms" if invocation.init_s is not None else ""
    lines = [str(path), "  event", *_json_lines(trial.event)]
    lines += [f"  invocation: {invocation.outcome.value}, {invocation.duration_s * 1000:.0f} ms{init}"]
    if invocation.error_message is not None:
        lines.append(f"    {invocation.error_type}: {invocation.error_message}")
        lines += [f"    {line}" for entry in invocation.stack_trace for line in entry.splitlines()]
    lines += [f"    note: {note}" for note in invocation.notes]
    steps, log = read_step_log(invocation.log)
    if steps:
        lines += ["  steps", *(f"    {line}" for line in step_lines(steps))]
    counted, log = read_metrics_log(log)
    if counted:
        lines += ["  metrics", *(f"    {line}" for line in counted)]
    if log:
        lines += ["  log", *(_LOG_INDENT + line for line in log.splitlines())]
    if invocation.payload is not None:
        lines += ["  reply", *_json_lines(trial.reply)]
    if trial.decisions:
        width = max(len(one.recipient) for one in trial.decisions)
        lines.append("  decisions")
        for one in trial.decisions:
            added = " (added as Bcc)" if one.added else ""
            lines.append(f"    {one.recipient:<{width}}  {one.action.value}{added}: {one.reason}")
            if one.bounce_message:
                lines.append(f"    {'':<{width}}  bounce message: {one.bounce_message}")
    else:
        lines.append(
            "  decisions: none, the invocation failed; WorkMail retries it, then takes the fallback action (T2)"
        )
    for title, found in (("errors", trial.errors), ("findings", trial.findings)):
        if found:
            lines += [f"  {title}", *(f"    {one.path}: {one.message} [{one.code}]" for one in found)]
    lines += _content_lines(trial)
    if written is not None:
        suffix = ", though nobody gets it: every recipient's copy is dropped or bounced" if trial.reaches_nobody else ""
        lines.append(f"  written to {written}{suffix}")
    return "\n".join(lines) + "\n"


def _content_lines(trial: Trial) -> list[str]:
    from workmail_local.mail.message_diff import diff_messages

    if trial.late_update:
        return ["  content: not updated; mail does not wait for an asynchronous rule, so an update has no effect (C4)"]
    if not trial.updated:
        return ["  content: not updated"]
    diff = diff_messages(trial.before, trial.after)
    if not diff:
        return ["  content: updated, with the same bytes"]
    return ["  content: updated", *(f"    {line}" for line in diff.splitlines())]


def _json_lines(value: object) -> list[str]:
    return [f"    {line}" for line in json.dumps(value, indent=2, ensure_ascii=False).splitlines()]
