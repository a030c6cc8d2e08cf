"""`workmail-flow local`: a WorkMail on this machine that a team can leave running."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from workmail_local.server.client import ApiFailedError

if TYPE_CHECKING:
    from workmail_local.server.client import Client
    from workmail_local.server.process import Daemon


class _Group(TyperGroup):
    """Commands that tell what the local WorkMail refuses as a command tells it."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error of the API is a message and exit status 1."""
        try:
            return super().invoke(ctx)
        except ApiFailedError as error:
            _fail(str(error))


app = typer.Typer(
    cls=_Group, help="A WorkMail on this machine: deploy to it, send mail through it, see who got what and why."
)
faults_app = typer.Typer(help="Make things go wrong on demand.", no_args_is_help=True)
app.add_typer(faults_app, name="faults")

_DEFAULT_STATE = Path(".workmail-local")

State = Annotated[
    Path, typer.Option(envvar="WORKMAIL_LOCAL_STATE", help="State folder of the local WorkMail.", metavar="DIR")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]
MessageId = Annotated[str, typer.Argument(help="A message's id, or the beginning of it.", metavar="ID")]
Timeout = Annotated[float, typer.Option(help="Seconds to wait at most.", min=1)]


def _port(purpose: str) -> Any:
    return typer.Option(help=f"For {purpose}; 0: the last run's, or any free one.", min=0, max=65535)


# Starting and stopping


@app.command()
def up(
    *,
    state: State = _DEFAULT_STATE,
    region: Annotated[str, typer.Option(help="Region of the organizations, one of WorkMail's (L1).")] = "us-east-1",
    time_scale: Annotated[
        float,
        typer.Option(help="Seconds of WorkMail's waiting (rule timeout, retries, 24 h of content) that pass in one."),
    ] = 1.0,
    smtp_port: Annotated[int, _port("inbound mail")] = 0,
    submission_port: Annotated[int, _port("outbound mail")] = 0,
    api_port: Annotated[int, _port("the HTTP API")] = 0,
    concurrency: Annotated[int, typer.Option(help="Functions that run at a time.", min=1)] = 8,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return at once, without the live table.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start the local WorkMail in the background, on loopback only; at a terminal, show what happens until Ctrl-C.

    It keeps running until `down`. Started again, it says where it runs.
    """
    from workmail_constructs.cli.local_view import endpoints, watch
    from workmail_flow.limits import WORKMAIL_REGIONS
    from workmail_local.server.process import Daemon, DaemonError

    if region not in WORKMAIL_REGIONS:
        _fail(f"--region: found {region!r}; WorkMail exists in {', '.join(WORKMAIL_REGIONS)} (L1)", status=2)
    if not 0 < time_scale < math.inf:
        _fail(f"--time-scale: found {time_scale:g}; allowed is a number above 0", status=2)
    options = ["--region", region, "--time-scale", str(time_scale), "--concurrency", str(concurrency)]
    options += ["--smtp-port", str(smtp_port), "--submission-port", str(submission_port), "--api-port", str(api_port)]
    try:
        daemon, started = Daemon.start(state, options)
    except DaemonError as error:
        _fail(str(error))
    if as_json:
        typer.echo(json.dumps(daemon.ready | {"started": started}, indent=2))
        return
    typer.echo(endpoints(daemon, "Started." if started else "It runs already."))
    if not started and (daemon.ready["region"], daemon.ready["time_scale"]) != (region, time_scale):
        running = f"region {daemon.ready['region']}, time scale {daemon.ready['time_scale']:g}"
        typer.echo(f"It keeps the options it was started with: {running}. `workmail-flow local down` first.", err=True)
    if sys.stdout.isatty() and not detach:
        watch(daemon)
        typer.echo(f"The local WorkMail keeps running (process {daemon.pid}); end it with `workmail-flow local down`.")


@app.command()
def down(*, state: State = _DEFAULT_STATE) -> None:
    """Stop the local WorkMail; mail that is under way goes on with the next `up`."""
    from workmail_local.server.process import Daemon, DaemonError, NotRunningError

    try:
        daemon = Daemon.find(state)
    except NotRunningError:
        typer.echo(f"No local WorkMail runs with the state folder {state}.")
        return
    try:
        daemon.stop()
    except DaemonError as error:
        _fail(str(error))
    typer.echo(f"Stopped process {daemon.pid}; mailboxes and messages stay in {state}.")


@app.command()
def status(*, state: State = _DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Show where it listens, what is deployed and how much mail there is."""
    from workmail_constructs.cli.local_view import status_lines

    daemon = _daemon(state)
    found = daemon.client.get("/v1/status")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    typer.echo(status_lines(daemon, found))


@app.command()
def reset(*, state: State = _DEFAULT_STATE) -> None:
    """Forget every message and empty mailboxes and spool; what is deployed stays."""
    _client(state).post("/v1/reset")
    typer.echo("Every message is forgotten; mailboxes and spool are empty.")


# Mail


@app.command()
def send(
    files: Annotated[list[Path], typer.Argument(help="Messages (RFC 5322).", metavar="FILE...", exists=True)],
    *,
    direction: Annotated[str, typer.Option(help="inbound or outbound.")] = "inbound",
    mail_from: Annotated[
        str | None, typer.Option(help="Envelope sender; the message's own without it.", metavar="ADDRESS")
    ] = None,
    rcpt: Annotated[
        list[str] | None,
        typer.Option(help="Envelope recipient, as often as needed; To, Cc and Bcc without it.", metavar="ADDRESS"),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the outcome.")] = True,
    timeout: Timeout = 300,
    save: Annotated[
        Path | None, typer.Option(help="Write each message as it was delivered, under its file's name.", metavar="DIR")
    ] = None,
    state: State = _DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Send messages through the deployed rules and show what was decided for whom, and why.

    The exit status is 0 if every invocation succeeded.
    """
    from workmail_local.mail.envelope import envelope_of

    client = _client(state)
    if direction.lower() not in {"inbound", "outbound"}:
        _fail(f"--direction: found {direction!r}; allowed are inbound, outbound", status=2)
    domains = [domain for found in client.get("/v1/status")["organizations"] for domain in found["domains"]]
    sent: list[tuple[Path, str]] = []
    for file in files:
        content = file.read_bytes()
        envelope = envelope_of(
            content, direction=direction.lower(), domains=domains, mail_from=mail_from, recipients=rcpt or ()
        )
        for note in envelope.notes:
            typer.echo(f"{file}: {note}", err=True)
        if not envelope.recipients:
            _fail(f"{file}: names no recipient in To, Cc or Bcc; give one with --rcpt", status=2)
        try:
            message_id = client.send(
                content, direction=direction, mail_from=envelope.mail_from, recipients=envelope.recipients
            )
        except ApiFailedError as error:
            _fail(f"{file}: {error}")
        sent.append((file, message_id))
    if not wait:
        _print_sent(sent, as_json=as_json)
        return
    _finish(client, sent, timeout_s=timeout, save=save, as_json=as_json)


@app.command()
def replay(
    message_id: MessageId,
    *,
    wait: Annotated[bool, typer.Option(help="Wait for the outcome.")] = True,
    timeout: Timeout = 300,
    state: State = _DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Send a message once more, as it came in, through the rules that are deployed now."""
    client = _client(state)
    again = client.post(f"/v1/messages/{_full_id(client, message_id)}/replay")["id"]
    sent = [(Path(f"replay of {message_id}"), again)]
    if wait:
        _finish(client, sent, timeout_s=timeout, save=None, as_json=as_json)
    else:
        _print_sent(sent, as_json=as_json)


@app.command()
def messages(
    *,
    limit: Annotated[int, typer.Option(help="How many, newest first.", min=1, max=1000)] = 50,
    state: State = _DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """List messages, newest first."""
    from workmail_constructs.cli.local_view import message_table, print_rich

    found = _client(state).get("/v1/messages", limit=limit)["messages"]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif found:
        print_rich(message_table(found))
    else:
        typer.echo("No messages yet; send one with `workmail-flow local send FILE`.")


@app.command()
def show(message_id: MessageId, *, state: State = _DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Show everything about a message: event, each attempt, reply, each recipient's decision and why, changes."""
    from workmail_constructs.cli.local_view import changes_of, print_detail

    client = _client(state)
    detail = client.message(_full_id(client, message_id))
    changes = changes_of(client, detail)
    if as_json:
        typer.echo(json.dumps(detail | {"changes": changes}, indent=2))
    else:
        print_detail(detail, changes)


@app.command()
def logs(
    message_id: Annotated[str | None, typer.Argument(help="Of this message; of the newest ones without.")] = None,
    *,
    limit: Annotated[int, typer.Option(help="How many messages, without an ID.", min=1, max=1000)] = 20,
    state: State = _DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Show what functions wrote to standard output and error, invocation by invocation."""
    client = _client(state)
    if message_id is not None:
        wanted = [_full_id(client, message_id)]
    else:
        wanted = [found["id"] for found in client.get("/v1/messages", limit=limit)["messages"]][::-1]
    found = [entry for one in wanted for entry in client.get(f"/v1/messages/{one}/logs")["logs"]]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    for entry in found:
        typer.echo(f"==> {entry['message']} {entry['rule']}, attempt {entry['attempt']}, {entry['startedAt']}")
        typer.echo(entry["log"].rstrip("\n") or "(nothing)")


@app.command()
def wait(
    message_id: Annotated[str | None, typer.Argument(help="This message; all of them without.", metavar="ID")] = None,
    *,
    timeout: Timeout = 60,
    state: State = _DEFAULT_STATE,
) -> None:
    """Wait until a message, or every one, is done; the exit status is 1 if the time was over first."""
    client = _client(state)
    wanted = None if message_id is None else _full_id(client, message_id)
    if not client.wait(wanted, timeout_s=timeout):
        _fail(f"not done within {timeout:g} s: see `workmail-flow local messages`")


# Faults


@faults_app.command("list")
def list_faults(*, state: State = _DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Show the faults in force and how often each has struck."""
    _print_faults(_client(state).get("/v1/faults")["faults"], as_json=as_json)


@faults_app.command("add")
def add_fault(
    fault: Annotated[str, typer.Argument(help="What goes wrong; an unknown name lists those there are.")],
    *,
    rule: Annotated[str | None, typer.Option(help="Only under this rule.")] = None,
    times: Annotated[int | None, typer.Option(help="So many times; a retry is another time.")] = None,
    messages: Annotated[int | None, typer.Option(help="For so many messages, all attempts of theirs.")] = None,
    after: Annotated[int, typer.Option(help="Let so many occasions go well first.")] = 0,
    seconds: Annotated[float, typer.Option(help="How long slow-content waits.")] = 5.0,
    state: State = _DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Put one more fault in force."""
    body = {"fault": fault, "rule": rule, "times": times, "messages": messages, "after": after, "seconds": seconds}
    _print_faults(_client(state).post("/v1/faults", body)["faults"], as_json=as_json)


@faults_app.command("load")
def load_faults(
    plan: Annotated[Path, typer.Argument(help="A fault plan, JSON or YAML.", exists=True, dir_okay=False)],
    *,
    state: State = _DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Replace the faults in force by those of a plan."""
    import yaml

    from workmail_local.faults import FaultPlanError, read_fault_plan

    def parse(text: str) -> object:
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(error) from error

    try:
        faults = read_fault_plan(plan.read_text(), parse=parse)
    except FaultPlanError as error:
        _fail(f"{plan}: {error}", status=2)
    body = json.dumps([fault.to_json() for fault in faults]).encode()
    _print_faults(_client(state).post("/v1/faults", body, method="PUT")["faults"], as_json=as_json)


@faults_app.command("clear")
def clear_faults(*, state: State = _DEFAULT_STATE) -> None:
    """Let everything go well again."""
    _client(state).post("/v1/faults", method="DELETE")
    typer.echo("No faults in force.")


# Shared by the commands


def _finish(
    client: Client, sent: list[tuple[Path, str]], *, timeout_s: float, save: Path | None, as_json: bool
) -> None:
    """Wait for messages, show what became of them, and fail unless every invocation succeeded."""
    from workmail_constructs.cli.local_view import changes_of, print_outcome

    results: list[dict[str, Any]] = []
    for file, message_id in sent:
        done = client.wait(message_id, timeout_s=timeout_s)
        detail = client.message(message_id) | {"file": str(file)}
        changes = changes_of(client, detail)
        results.append(detail | {"changes": changes})
        if not as_json:
            print_outcome(detail, changes)
        if not done:
            typer.echo(f"{file}: not done within {timeout_s:g} s; it goes on: {message_id}", err=True)
        elif save is not None:
            save.mkdir(parents=True, exist_ok=True)
            (save / file.name).write_bytes(client.content(message_id))
    if as_json:
        typer.echo(json.dumps(results if len(results) > 1 else results[0], indent=2))
    if not all(result["succeeded"] for result in results):
        raise typer.Exit(1)


def _print_sent(sent: list[tuple[Path, str]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([{"file": str(file), "id": message_id} for file, message_id in sent], indent=2))
    else:
        for _, message_id in sent:
            typer.echo(message_id)


def _print_faults(faults: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(faults, indent=2))
        return
    for fault in faults:
        scope = ", ".join(f"{key} {value}" for key, value in fault.items() if key not in {"fault", "hits"})
        typer.echo(f"{fault['fault']:<22} struck {fault['hits']} times{'; ' + scope if scope else ''}")
    if not faults:
        typer.echo("No faults in force.")


def _daemon(state: Path) -> Daemon:
    from workmail_local.server.process import Daemon, NotRunningError

    try:
        return Daemon.find(state)
    except NotRunningError as error:
        _fail(str(error))


def _client(state: Path) -> Client:
    return _daemon(state).client


def _full_id(client: Client, beginning: str) -> str:
    """Return the one message id that begins so."""
    found = [one["id"] for one in client.get("/v1/messages", limit=1000)["messages"] if one["id"].startswith(beginning)]
    if len(found) > 1:
        _fail(f"{len(found)} messages begin with {beginning}: give more of the id", status=2)
    return found[0] if found else beginning


def _fail(message: str, *, status: int = 1) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(status)
