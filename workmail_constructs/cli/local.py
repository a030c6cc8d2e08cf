"""`workmail-flow local`: a WorkMail on this machine that keeps running until it is stopped."""

from __future__ import annotations

import json
import math
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from workmail_constructs.cli.terminal import INTERRUPTED, echo, echo_json, fail
from workmail_local.server.client import ApiFailedError
from workmail_local.server.daemon import DEFAULT_STATE, Daemon, DaemonError, NotRunningError
from workmail_local.server.local_app import DeployError
from workmail_local.state_file import StateFileError

if TYPE_CHECKING:
    from workmail_local.server.client import Client


class _Group(TyperGroup):
    """Commands whose expected errors are messages."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error of the local WorkMail is a message on standard error and exit status 1."""
        try:
            return super().invoke(ctx)
        except (ApiFailedError, DaemonError, DeployError, StateFileError) as error:
            fail(str(error))


app = typer.Typer(
    cls=_Group, help="A WorkMail on this machine: deploy to it, send mail through it, see who got what and why."
)
faults_app = typer.Typer(help="Make things fail on demand.", no_args_is_help=True)
app.add_typer(faults_app, name="faults")

State = Annotated[
    Path, typer.Option(envvar="WORKMAIL_LOCAL_STATE", help="State folder of the local WorkMail.", metavar="DIR")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]
MessageId = Annotated[str, typer.Argument(help="Id of a message, or its beginning.", metavar="ID")]
_INSTALL_LOCAL = "pip install 'workmail-constructs[local]'"
_NEEDED_PACKAGES = ("aiohttp", "aiosmtpd", "moto")
_LOOK_S = 1.0
"""How often a command that waits looks for failed attempts."""

Timeout = Annotated[float, typer.Option(help="Seconds to wait at most.", min=1)]


def _port(purpose: str) -> Any:
    return typer.Option(help=f"Port for {purpose}; 0: the last run's, or any free port.", min=0, max=65535)


def _port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


# Starting and stopping


@app.command()
def up(
    *,
    state: State = DEFAULT_STATE,
    region: Annotated[str, typer.Option(help="Region of the organizations: one that has WorkMail (L1).")] = "us-east-1",
    time_scale: Annotated[
        float,
        typer.Option(help="Seconds of WorkMail's waiting (rule timeout, retries, 24 h of content) per second."),
    ] = 1.0,
    smtp_port: Annotated[int, _port("inbound mail")] = 0,
    submission_port: Annotated[int, _port("outbound mail")] = 0,
    api_port: Annotated[int, _port("the HTTP API")] = 0,
    concurrency: Annotated[int, typer.Option(help="Functions that run at a time.", min=1)] = 8,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return at once, without the live table.")] = False,
    as_json: AsJson = False,
) -> None:
    """Start the local WorkMail in the background, on loopback only; at a terminal, show what happens until Ctrl-C.

    It keeps running until `down`. If it already runs, `up` shows where it listens.
    """
    from workmail_constructs.cli.local_view import endpoints, watch
    from workmail_flow.limits import WORKMAIL_REGIONS

    if region not in WORKMAIL_REGIONS:
        fail(f"--region: found {region!r}; WorkMail exists in {', '.join(WORKMAIL_REGIONS)} (L1)", status=2)
    if not 0 < time_scale < math.inf:
        fail(f"--time-scale: found {time_scale:g}; allowed is a number above 0", status=2)
    if missing := [name for name in _NEEDED_PACKAGES if find_spec(name) is None]:
        fail(f"the local WorkMail needs {', '.join(missing)}: {_INSTALL_LOCAL}")
    options = ["--region", region, "--time-scale", str(time_scale), "--concurrency", str(concurrency)]
    options += ["--smtp-port", str(smtp_port), "--submission-port", str(submission_port), "--api-port", str(api_port)]
    daemon, started = Daemon.start(state, options)
    if as_json:
        echo_json(daemon.ready | {"started": started})
        return
    echo(endpoints(daemon, "Started." if started else "It is already running."))
    ports = {"smtp": smtp_port, "submission": submission_port, "api": api_port}
    kept = [f"--{name}-port {port}" for name, port in ports.items() if port and port != _port_of(daemon.ready[name])]
    kept += [f"--region {region}"] if region != daemon.ready["region"] else []
    kept += [f"--time-scale {time_scale:g}"] if time_scale != daemon.ready["time_scale"] else []
    if kept and not started:
        running = f"region {daemon.ready['region']}, time scale {daemon.ready['time_scale']:g}, and the ports above"
        said = f"It keeps its options: {running}. {', '.join(kept)}: to change them, "
        echo(f"{said}run `workmail-flow local down` first.", err=True)
    if sys.stdout.isatty() and not detach:
        watch(daemon)
        echo(f"The local WorkMail keeps running (process {daemon.pid}); stop it with `workmail-flow local down`.")


@app.command()
def down(*, state: State = DEFAULT_STATE) -> None:
    """Stop the local WorkMail; the next `up` continues unfinished mail."""
    try:
        daemon = Daemon.find(state)
    except NotRunningError:
        echo(f"No local WorkMail runs with the state folder {state}.")
        return
    daemon.stop()
    echo(f"Stopped process {daemon.pid}; mailboxes and messages stay in {state}.")


@app.command()
def status(*, state: State = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Show where it listens, what is deployed and how much mail there is."""
    from workmail_constructs.cli.local_view import status_lines

    daemon = Daemon.find(state)
    found = daemon.client.get("/v1/status") | daemon.client.get("/v1/accounts")
    if as_json:
        echo_json(daemon.ready | found)
        return
    echo(status_lines(daemon, found))


@app.command()
def env(
    *,
    account: Annotated[
        str | None, typer.Option(help="An account that a stack is deployed to, if not the default one.")
    ] = None,
    state: State = DEFAULT_STATE,
) -> None:
    """Print the variables that let the AWS CLI and boto3 use the local AWS: `eval "$(workmail-flow local env)"`."""
    for name, value in Daemon.find(state).aws_environment(account=account).items():
        echo(f"export {name}={value}")
    echo("unset AWS_PROFILE AWS_DEFAULT_PROFILE")


@app.command()
def reset(*, state: State = DEFAULT_STATE) -> None:
    """Delete every message and empty mailboxes and spool; what is deployed stays."""
    _client(state).post("/v1/reset")
    echo("All messages are deleted; mailboxes and spool are empty.")


# Mail


@app.command()
def send(
    files: Annotated[list[Path], typer.Argument(help="Messages (RFC 5322).", metavar="FILE...", exists=True)],
    *,
    direction: Annotated[str, typer.Option(help="inbound or outbound.")] = "inbound",
    mail_from: Annotated[
        str | None, typer.Option(help="Envelope sender; by default the message's From.", metavar="ADDRESS")
    ] = None,
    rcpt: Annotated[
        list[str] | None,
        typer.Option(help="Envelope recipient, may be repeated; by default To, Cc and Bcc.", metavar="ADDRESS"),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the outcome.")] = True,
    timeout: Timeout = 300,
    save: Annotated[
        Path | None, typer.Option(help="Write each delivered message here, under its file's name.", metavar="DIR")
    ] = None,
    state: State = DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Send messages through the deployed rules and show what each recipient gets, and why.

    The exit status is 0 if every rule's function succeeded.
    """
    from workmail_local.mail.envelope import envelope_of

    client = _client(state)
    if direction.lower() not in {"inbound", "outbound"}:
        fail(f"--direction: found {direction!r}; allowed are inbound, outbound", status=2)
    domains = client.domains()
    sent: list[tuple[Path, str]] = []
    for file in files:
        content = file.read_bytes()
        envelope = envelope_of(
            content, direction=direction.lower(), domains=domains, mail_from=mail_from, recipients=rcpt or ()
        )
        for note in envelope.notes:
            echo(f"{file}: {note}", err=True)
        if not envelope.recipients:
            fail(f"{file}: no recipient in To, Cc or Bcc; give one with --rcpt", status=2)
        try:
            message_id = client.send(
                content, direction=direction, mail_from=envelope.mail_from, recipients=envelope.recipients
            )
        except ApiFailedError as error:
            fail(f"{file}: {error}")
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
    state: State = DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Send a message again, as it came in, through the rules that are deployed now."""
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
    limit: Annotated[int, typer.Option(help="Number of messages.", min=1, max=1000)] = 50,
    state: State = DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """List messages, newest first."""
    from workmail_constructs.cli.local_view import message_table, print_rich

    found = _client(state).get("/v1/messages", limit=limit)["messages"]
    if as_json:
        echo_json(found)
    elif found:
        print_rich(message_table(found))
    else:
        echo("No messages yet; send one with `workmail-flow local send FILE`.")


@app.command()
def show(message_id: MessageId, *, state: State = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Show everything about a message: its event, each attempt and reply, each recipient's outcome, changes."""
    from workmail_constructs.cli.local_view import changes_of, print_detail

    client = _client(state)
    detail = client.message(_full_id(client, message_id))
    changes = changes_of(client, detail)
    if as_json:
        echo_json(detail | {"changes": changes})
    else:
        print_detail(detail, changes)


@app.command()
def logs(
    message_id: Annotated[
        str | None, typer.Argument(help="Id of a message; by default the newest messages.", metavar="ID")
    ] = None,
    *,
    limit: Annotated[int, typer.Option(help="Number of messages, without an ID.", min=1, max=1000)] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with each invocation that ends, until Ctrl-C; without an ID.")
    ] = False,
    state: State = DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Show what functions wrote to standard output and error, one invocation after another.

    With --follow, --json prints one JSON object per line.
    """
    client = _client(state)
    if follow:
        if message_id is not None:
            fail("--follow: found an ID as well; give one of the two", status=2)
        _follow_logs(client, limit=limit, as_json=as_json)
        return
    if message_id is not None:
        wanted = [_full_id(client, message_id)]
    else:
        wanted = [found["id"] for found in client.get("/v1/messages", limit=limit)["messages"]][::-1]
    found = [entry for one in wanted for entry in client.get(f"/v1/messages/{one}/logs")["logs"]]
    if as_json:
        echo_json(found)
        return
    for entry in found:
        _print_log(entry)


@app.command()
def wait(
    message_id: Annotated[
        str | None, typer.Argument(help="Id of a message; by default every message.", metavar="ID")
    ] = None,
    *,
    timeout: Timeout = 60,
    state: State = DEFAULT_STATE,
) -> None:
    """Wait until a message, or every message, is done; the exit status is 1 if the time is over first."""
    client = _client(state)
    wanted = None if message_id is None else _full_id(client, message_id)
    if not client.wait(wanted, timeout_s=timeout):
        fail(f"not done within {timeout:g} s: see `workmail-flow local messages`")


# Faults


@faults_app.command("list")
def list_faults(*, state: State = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Show the active faults and how often each has happened."""
    _print_faults(_client(state).get("/v1/faults")["faults"], as_json=as_json)


@faults_app.command("add")
def add_fault(
    fault: Annotated[str, typer.Argument(help="What fails; an unknown name lists the known ones.")],
    *,
    rule: Annotated[str | None, typer.Option(help="Name of the only rule it applies to.")] = None,
    times: Annotated[int | None, typer.Option(help="How often it happens at most; a retry counts again.")] = None,
    messages: Annotated[int | None, typer.Option(help="Number of messages, with all their attempts.")] = None,
    after: Annotated[int, typer.Option(help="Number of calls that succeed first.")] = 0,
    seconds: Annotated[float, typer.Option(help="Seconds that slow-content waits.")] = 5.0,
    state: State = DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Activate one more fault."""
    body = {"fault": fault, "rule": rule, "times": times, "messages": messages, "after": after, "seconds": seconds}
    _print_faults(_client(state).post("/v1/faults", body)["faults"], as_json=as_json)


@faults_app.command("load")
def load_faults(
    plan: Annotated[Path, typer.Argument(help="A fault plan, JSON or YAML.", exists=True, dir_okay=False)],
    *,
    state: State = DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Replace all active faults with those of a plan."""
    import yaml

    from workmail_local.faults import FaultPlanError, read_fault_plan

    def parse(text: str) -> object:
        try:
            return yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ValueError(error) from error

    try:
        faults = read_fault_plan(plan.read_text(), parse=parse)
    except (FaultPlanError, UnicodeDecodeError) as error:
        fail(f"{plan}: {error}", status=2)
    body = json.dumps([fault.to_json() for fault in faults]).encode()
    _print_faults(_client(state).post("/v1/faults", body, method="PUT")["faults"], as_json=as_json)


@faults_app.command("clear")
def clear_faults(*, state: State = DEFAULT_STATE) -> None:
    """Deactivate all faults."""
    _client(state).post("/v1/faults", method="DELETE")
    echo("No active faults.")


# Shared by the commands


def _follow_logs(client: Client, *, limit: int, as_json: bool) -> None:
    from workmail_constructs.cli.local_view import new_logs

    with suppress(KeyboardInterrupt):
        for entry in new_logs(client, limit=limit):
            if as_json:
                echo_json(entry, indent=None)
            else:
                _print_log(entry)


def _print_log(entry: dict[str, Any]) -> None:
    echo(f"==> {entry['message']} {entry['rule']}, attempt {entry['attempt']}, {entry['startedAt']}")
    echo(entry["log"].rstrip("\n") or "(nothing)")


def _finish(
    client: Client, sent: list[tuple[Path, str]], *, timeout_s: float, save: Path | None, as_json: bool
) -> None:
    """Wait for messages, show their outcomes, and fail unless every rule's function succeeded."""
    from workmail_constructs.cli.local_view import changes_of, print_outcome

    results: list[dict[str, Any]] = []
    for file, message_id in sent:
        done = _follow(client, file, message_id, timeout_s=timeout_s)
        detail = client.message(message_id) | {"file": str(file)}
        changes = changes_of(client, detail)
        results.append(detail | {"changes": changes})
        if not as_json:
            print_outcome(detail, changes)
        if not done:
            echo(f"{file}: not done within {timeout_s:g} s. {_how_to_go_on(message_id)}", err=True)
        elif save is not None:
            save.mkdir(parents=True, exist_ok=True)
            (save / file.name).write_bytes(client.content(message_id))
    if as_json:
        echo_json(results if len(results) > 1 else results[0])
    if not all(result["succeeded"] for result in results):
        raise typer.Exit(1)


def _follow(client: Client, file: Path, message_id: str, *, timeout_s: float) -> bool:
    """Wait for a message; meanwhile show its id and each attempt that fails, on standard error.

    Returns:
        Whether it is done.
    """
    from workmail_constructs.cli.local_view import failed_attempts

    echo(f"{file}: message {message_id} is on its way", err=True)
    end = time.monotonic() + timeout_s
    shown = 0
    try:
        while True:
            done = client.wait(message_id, timeout_s=max(1.0, min(_LOOK_S, end - time.monotonic())))
            failed = failed_attempts(client.message(message_id))
            for line in failed[shown:]:
                echo(f"{file}: {line}", err=True)
            shown = len(failed)
            if done or time.monotonic() >= end:
                return done
    except KeyboardInterrupt:
        echo(f"{file}: no longer waiting. {_how_to_go_on(message_id)}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _how_to_go_on(message_id: str) -> str:
    id_ = message_id[:8]
    return f"It stays in transit: wait on with `workmail-flow local wait {id_}`, see why with `… local show {id_}`."


def _print_sent(sent: list[tuple[Path, str]], *, as_json: bool) -> None:
    if as_json:
        echo_json([{"file": str(file), "id": message_id} for file, message_id in sent])
    else:
        for _, message_id in sent:
            echo(message_id)


def _print_faults(faults: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        echo_json(faults)
        return
    for fault in faults:
        scope = ", ".join(f"{key} {value}" for key, value in fault.items() if key not in {"fault", "hits"})
        echo(f"{fault['fault']:<22} happened {fault['hits']} times{'; ' + scope if scope else ''}")
    if not faults:
        echo("No active faults.")


def _client(state: Path) -> Client:
    return Daemon.find(state).client


def _full_id(client: Client, beginning: str) -> str:
    """Return the id of the only message whose id begins like this."""
    found = [one["id"] for one in client.get("/v1/messages", limit=1000)["messages"] if one["id"].startswith(beginning)]
    if len(found) > 1:
        fail(f"{len(found)} messages begin with {beginning}: give more of the id", status=2)
    return found[0] if found else beginning
