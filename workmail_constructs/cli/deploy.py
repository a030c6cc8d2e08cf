"""`workmail-flow local deploy | diff | destroy`: the CDK CLI on an app, against the running local WorkMail."""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from workmail_constructs.cli.local import AsJson, State  # noqa: TC001 - Typer reads them
from workmail_constructs.cli.terminal import echo, echo_json, fail
from workmail_flow.packed_code import SOURCES_VARIABLE
from workmail_local.aws.cdk import CdkError
from workmail_local.server.daemon import DEFAULT_STATE, Daemon
from workmail_local.server.local_app import DeployError, LocalApp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_constructs.cli.hot_swap import SwappedFunction

Stacks = Annotated[
    list[str] | None, typer.Argument(help="Names of stacks, with * for any text; without one, all of the app's stacks.")
]
App = Annotated[
    str | None,
    typer.Option(help="Folder with a cdk.json or a synthesized app, or the command that runs it.", metavar="DIR"),
]
Context = Annotated[
    list[str] | None, typer.Option("--context", "-c", help="Context value for the app.", metavar="KEY=VALUE")
]
AllStacks = Annotated[bool, typer.Option("--all", help="All of the app's stacks, which is the default.")]


def register(app: typer.Typer) -> None:
    """Add the commands to `workmail-flow local`."""
    for command in (deploy, diff, destroy):
        app.command()(command)


def deploy(
    stacks: Stacks = None,
    *,
    all_stacks: AllStacks = False,
    app: App = None,
    state: State = DEFAULT_STATE,
    exclusively: Annotated[
        bool, typer.Option("--exclusively", "-e", help="Leave out the stacks that the named ones depend on.")
    ] = False,
    parameters: Annotated[
        list[str] | None, typer.Option(help="Value for a CloudFormation parameter.", metavar="[STACK:]KEY=VALUE")
    ] = None,
    context: Context = None,
    method: Annotated[str, typer.Option(help="As for cdk deploy: change-set or direct.")] = "change-set",
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            "-w",
            help="Go on until Ctrl-C: a changed handler runs at once, a changed app is deployed again.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Deploy a CDK app to the local WorkMail, with the real CDK CLI and no AWS account.

    Afterwards the templates are compared with what exists, and each resource that is kept as data only is listed.
    The exit status is 0 only if everything in the templates exists.
    """
    if method not in {"change-set", "direct"}:
        fail(f"--method: found {method!r}; allowed are change-set, direct", status=2)
    names = _named(stacks, all_stacks=all_stacks)
    options: dict[str, Any] = {"exclusively": exclusively, "parameters": parameters or (), "method": method}
    if watch:
        if as_json:
            fail("--watch: found --json as well; give one of the two", status=2)
        _deploy_and_watch(app, state, context, names, options)
        return
    report = _local_app(app, state, context).deploy(names, **options)
    if as_json:
        echo_json({"stacks": report.stacks, "problems": report.problems})
    else:
        _print_reports(report.stacks)
    if report.problems:
        fail(f"Not deployed: {'; '.join(report.problems)}")


def _deploy_and_watch(
    app: str | None, state: Path, context: list[str] | None, names: list[str], options: dict[str, Any]
) -> None:
    from workmail_constructs.cli.hot_swap import HotSwap, swapped_functions

    with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
        sources = Path(folder) / "sources"
        local = _local_app(app, state, context, environment={SOURCES_VARIABLE: str(sources)})
        clients: dict[tuple[str, str, str], Any] = {}
        while True:
            sources.unlink(missing_ok=True)
            try:
                report = local.deploy(names, **options)
                _print_reports(report.stacks)
                problems = report.problems
            except DeployError as error:
                problems = [str(error)]
            if problems:
                echo(f"Not deployed: {'; '.join(problems)}", err=True, fg=typer.colors.RED)
            functions = [] if problems else swapped_functions(local.cdk.assembly, sources, local.daemon.state)
            swap = HotSwap(
                functions,
                app=local.cdk.folder,
                update=lambda function, code: _update_code(local, clients, function, code),
                say=lambda text: echo(text, err=True),
            )
            labels = ", ".join(each.label for each in functions) or "no function's code"
            echo(f"Watching {labels}, and the app in {local.cdk.folder}; Ctrl-C ends it.", err=True)
            swap.until_app_changes()
            echo("The app has changed: deploying it.", err=True)


def _update_code(
    local: LocalApp, clients: dict[tuple[str, str, str], Any], function: SwappedFunction, code: bytes
) -> None:
    def client(service: str) -> Any:
        key = service, function.account, function.region
        if key not in clients:
            clients[key] = local.daemon.aws_client(service, account=function.account, region_name=function.region)
        return clients[key]

    found = client("cloudformation").describe_stack_resource(
        StackName=function.stack, LogicalResourceId=function.logical_id
    )
    name = found["StackResourceDetail"]["PhysicalResourceId"]
    client("lambda").update_function_code(FunctionName=name, ZipFile=code)


def diff(
    stacks: Stacks = None,
    *,
    all_stacks: AllStacks = False,
    app: App = None,
    state: State = DEFAULT_STATE,
    context: Context = None,
    as_json: AsJson = False,
) -> None:
    """Show what deploying a CDK app to the local WorkMail would change; the exit status is 0 in both cases."""
    names = _named(stacks, all_stacks=all_stacks)
    changes = _local_app(app, state, context, output=sys.stderr if as_json else sys.stdout).diff(names)
    if as_json:
        echo_json({"stacks": changes})


def destroy(
    stacks: Stacks = None,
    *,
    all_stacks: AllStacks = False,
    app: App = None,
    state: State = DEFAULT_STATE,
    context: Context = None,
    as_json: AsJson = False,
) -> None:
    """Destroy an app's stacks in the local WorkMail, without asking: nothing of value is lost."""
    names = _named(stacks, all_stacks=all_stacks)
    report = _local_app(app, state, context).destroy(names)
    if as_json:
        echo_json({"destroyed": report.destroyed, "left": report.left})
    else:
        nothing = "nothing" if report.left else "nothing, because nothing was deployed"
        echo(f"Destroyed: {', '.join(report.destroyed) or nothing}")
    if report.problems:
        fail(f"Not destroyed: {', '.join(report.problems)}")


def _named(stacks: list[str] | None, *, all_stacks: bool) -> list[str]:
    """Return the given names; none means all."""
    if stacks and all_stacks:
        fail(f"--all: found {', '.join(stacks)} as well; give names of stacks, or --all", status=2)
    return stacks or []


def _local_app(
    app: str | None,
    state: Path,
    context: list[str] | None,
    *,
    output: IO[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> LocalApp:
    # What the CDK CLI says is progress, so it goes to standard error.
    try:
        return LocalApp.find(
            Daemon.find(state),
            app,
            output=output or sys.stderr,
            context=context or (),
            environment=environment or {},
        )
    except CdkError as error:
        fail(str(error), status=2)


def _print_reports(reports: list[dict[str, Any]]) -> None:
    for report in reports:
        echo(
            f"{report['stack']}: {report['status']} in {report['region']}; as in the template: "
            f"resources {report['resources']}, email flow rules {len(report['rules'])}"
        )
        for name, value in report["outputs"].items():
            echo(f"  {name} = {value}")
        for resource in report["dataOnly"]:
            echo(f"  kept as data only: {resource}")
        for layer in report["missingLayers"]:
            echo(f"  layer that no stack here deploys, so functions run without it: {layer}")
