"""`workmail-flow local deploy | diff | destroy`: the CDK CLI on an app, against the running local WorkMail."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from workmail_local.aws.cdk import SynthesizedStack
    from workmail_local.deployment import Deployment

_RELOAD_TIMEOUT_S = 30

Stacks = Annotated[
    list[str] | None, typer.Argument(help="Names of stacks, with * for any text; all of the app's without one.")
]
App = Annotated[
    str | None,
    typer.Option(help="Folder with a cdk.json or a synthesized app, or the command that runs it.", metavar="DIR"),
]
State = Annotated[
    Path, typer.Option(envvar="WORKMAIL_LOCAL_STATE", help="State folder of the local WorkMail.", metavar="DIR")
]
Context = Annotated[
    list[str] | None, typer.Option("--context", "-c", help="Context value for the app.", metavar="KEY=VALUE")
]
AllStacks = Annotated[bool, typer.Option("--all", help="All of the app's stacks, as without a name.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]
_DEFAULT_STATE = Path(".workmail-local")


def register(app: typer.Typer) -> None:
    """Add the commands to `workmail-flow local`."""
    app.command("deploy")(deploy)
    app.command("diff")(diff)
    app.command("destroy")(destroy)


def deploy(
    stacks: Stacks = None,
    *,
    all_stacks: AllStacks = False,
    app: App = None,
    state: State = _DEFAULT_STATE,
    exclusively: Annotated[
        bool, typer.Option("--exclusively", "-e", help="Leave out the stacks that the named ones depend on.")
    ] = False,
    parameters: Annotated[
        list[str] | None, typer.Option(help="Value for a CloudFormation parameter.", metavar="[STACK:]KEY=VALUE")
    ] = None,
    context: Context = None,
    method: Annotated[str, typer.Option(help="As cdk deploy has it: change-set or direct.")] = "change-set",
    as_json: AsJson = False,
) -> None:
    """Deploy a CDK app to the local WorkMail, with the real CDK CLI and no AWS account.

    Afterwards the templates are compared with what exists, and every resource that is kept as data only is named.
    The exit status is 0 only if everything the templates hold is there.
    """
    from workmail_local.aws.cdk import selected_stacks
    from workmail_local.aws.deploy_check import deployment_of, missing_from
    from workmail_local.deployment import load_deployments

    if method not in {"change-set", "direct"}:
        _fail(f"--method: found {method!r}; allowed are change-set, direct", status=2)
    names = _named(stacks, all_stacks=all_stacks)
    session = _Session(app, state, context)
    before = {(found.stack, found.region): found.last_event for found in load_deployments(state)}
    options = ["--require-approval", "never", "--method", method]
    options += ["--exclusively"] if exclusively else []
    options += [item for value in parameters or () for item in ("--parameters", value)]
    failed = session.cdk("deploy", *(names or ["--all"]), *options) != 0
    synthesized = session.synthesized()
    session.reload()
    deployments = load_deployments(state)
    chosen = selected_stacks(synthesized, names, with_dependencies=not exclusively)
    problems: list[str] = []
    reports: list[dict[str, Any]] = []
    for stack in chosen:
        found = deployment_of(stack, deployments)
        missing = missing_from(stack, found)
        problems += missing
        if found is not None and not missing:
            reports.append(_report(found, before.get((found.stack, found.region))))
    if as_json:
        typer.echo(json.dumps({"stacks": reports, "problems": problems}, indent=2))
    else:
        _print_reports(reports)
    if failed or problems:
        _fail("Not deployed: " + ("; ".join(problems) or "the CDK CLI failed; see above what it said"))


def diff(
    stacks: Stacks = None,
    *,
    all_stacks: AllStacks = False,
    app: App = None,
    state: State = _DEFAULT_STATE,
    context: Context = None,
    as_json: AsJson = False,
) -> None:
    """Show what deploying a CDK app to the local WorkMail would change; the exit status is 0 either way."""
    from workmail_local.aws.cdk import selected_stacks
    from workmail_local.aws.deploy_check import deployment_of, template_changes
    from workmail_local.deployment import load_deployments

    names = _named(stacks, all_stacks=all_stacks)
    session = _Session(app, state, context)
    if session.cdk("diff", *names, to_stdout=not as_json) != 0:
        _fail("The CDK CLI failed; see above what it said")
    if as_json:
        deployments = load_deployments(state)
        chosen = selected_stacks(session.synthesized(), names, with_dependencies=True)
        changes = [
            {"stack": stack.name, **template_changes(stack, deployment_of(stack, deployments))} for stack in chosen
        ]
        typer.echo(json.dumps({"stacks": changes}, indent=2))


def destroy(
    stacks: Stacks = None,
    *,
    all_stacks: AllStacks = False,
    app: App = None,
    state: State = _DEFAULT_STATE,
    context: Context = None,
    as_json: AsJson = False,
) -> None:
    """Destroy an app's stacks in the local WorkMail; asks nothing, because nothing of value is lost."""
    from workmail_local.aws.cdk import selected_stacks
    from workmail_local.aws.deploy_check import deployment_of
    from workmail_local.deployment import load_deployments

    names = _named(stacks, all_stacks=all_stacks)
    session = _Session(app, state, context)
    before = load_deployments(state)
    failed = session.cdk("destroy", *(names or ["--all"]), "--force") != 0
    chosen = selected_stacks(session.synthesized(), names, with_dependencies=False)
    session.reload()
    after = load_deployments(state)
    left = [stack.name for stack in chosen if deployment_of(stack, after) is not None]
    destroyed = [stack.name for stack in chosen if deployment_of(stack, before) and not deployment_of(stack, after)]
    if as_json:
        typer.echo(json.dumps({"destroyed": destroyed, "left": left}, indent=2))
    else:
        nothing = "nothing" if left else "nothing, because nothing was deployed"
        typer.echo(f"Destroyed: {', '.join(destroyed) or nothing}")
    if failed or left:
        _fail(f"Not destroyed: {', '.join(left) or 'see above what the CDK CLI said'}")


def _named(stacks: list[str] | None, *, all_stacks: bool) -> list[str]:
    """Return the names given, none for all."""
    if stacks and all_stacks:
        _fail(f"--all: found {', '.join(stacks)} as well; name stacks, or take all", status=2)
    return stacks or []


class _Session:
    """An app, and the local WorkMail that runs in the state folder."""

    def __init__(self, app: str | None, state: Path, context: list[str] | None) -> None:
        from workmail_local.aws.cdk import CdkApp, CdkError

        self._context = [item for value in context or () for item in ("--context", value)]
        self._daemon = _running_daemon(state)
        try:
            self._app = CdkApp.find(app, output=state.absolute() / "cdk.out")
        except CdkError as error:
            _fail(str(error), status=2)

    def cdk(self, *arguments: str, to_stdout: bool = False) -> int:
        """Run the CDK CLI; its words go to standard error, where progress belongs."""
        from workmail_local.aws.cdk import CdkError, run_cdk
        from workmail_local.loopback import NotLoopbackError

        try:
            return run_cdk(
                self._app,
                [*arguments, *self._context],
                endpoint=self._daemon["aws_endpoint"],
                region=self._daemon["region"],
                output=sys.stdout if to_stdout else sys.stderr,
            )
        except (CdkError, NotLoopbackError) as error:
            _fail(str(error))

    def synthesized(self) -> tuple[SynthesizedStack, ...]:
        """The app's stacks, as the CDK CLI has just synthesized them."""
        from workmail_local.aws.cdk import synthesized_stacks

        try:
            return synthesized_stacks(self._app.assembly)
        except FileNotFoundError:
            _fail("The app was not synthesized; see above what the CDK CLI said")

    def reload(self) -> None:
        """Have the local WorkMail take over what is deployed now."""
        from urllib.error import HTTPError
        from urllib.request import Request, urlopen

        from workmail_local.loopback import require_loopback

        url = f"{self._daemon['api']}/v1/deployments/reload"
        require_loopback(url, source="the API of the local WorkMail")
        try:
            urlopen(Request(url, method="POST"), timeout=_RELOAD_TIMEOUT_S).close()  # noqa: S310 - loopback, http
        except HTTPError as error:
            _fail(f"Deployed, but the local WorkMail goes on with the former rules: {error.read().decode()}")


def _running_daemon(state: Path) -> dict[str, Any]:
    from urllib.error import URLError
    from urllib.request import urlopen

    start = f"start one with: workmail-flow local up{'' if state == _DEFAULT_STATE else f' --state {state}'}"
    try:
        daemon: dict[str, Any] = json.loads((state / "daemon.json").read_text())
    except FileNotFoundError:
        _fail(f"No local WorkMail runs in {state}; {start}")
    try:
        urlopen(f"{daemon['api']}/v1/status", timeout=_RELOAD_TIMEOUT_S).close()  # noqa: S310 - loopback, http
    except URLError as error:
        _fail(f"The local WorkMail of {state} does not answer at {daemon['api']} ({error.reason}); {start}")
    return daemon


def _report(deployed: Deployment, event_before: str | None) -> dict[str, Any]:
    status = "updated"
    if event_before is None:
        status = "created"
    elif event_before == deployed.last_event:
        status = "unchanged"
    return {
        "stack": deployed.stack,
        "region": deployed.region,
        "account": deployed.account,
        "status": status,
        "resources": len(deployed.resources),
        "dataOnly": list(deployed.data_only),
        "missingLayers": sorted({arn for function in deployed.functions.values() for arn in function.missing_layers}),
        "functions": sorted(deployed.functions),
        "rules": [
            {"organizationId": organization.organization_id, "name": rule.name, "function": rule.function}
            for organization in deployed.organizations
            for rule in organization.rules
        ],
        "outputs": dict(deployed.outputs),
    }


def _print_reports(reports: list[dict[str, Any]]) -> None:
    for report in reports:
        typer.echo(
            f"{report['stack']}: {report['status']} in {report['region']}; as in the template: "
            f"resources {report['resources']}, email flow rules {len(report['rules'])}"
        )
        for name, value in report["outputs"].items():
            typer.echo(f"  {name} = {value}")
        for resource in report["dataOnly"]:
            typer.echo(f"  kept as data only: {resource}")
        for layer in report["missingLayers"]:
            typer.echo(f"  layer that no stack here deploys, so functions run without it: {layer}")


def _fail(message: str, *, status: int = 1) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(status)
