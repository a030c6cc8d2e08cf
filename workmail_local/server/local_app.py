"""Deploys a CDK app to the running local WorkMail with the real CDK CLI, and checks the result."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Self

from workmail_local.aws.cdk import CdkApp, CdkError, run_cdk, selected_stacks, synthesized_stacks
from workmail_local.aws.deploy_check import deployment_of, missing_from, template_changes
from workmail_local.deployment import load_deployments
from workmail_local.loopback import NotLoopbackError
from workmail_local.private_folder import make_private_folder, narrow
from workmail_local.server.client import ApiFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workmail_local.aws.cdk import SynthesizedStack
    from workmail_local.deployment import Deployment
    from workmail_local.server.daemon import Daemon

_CLI_FAILED = "the CDK CLI failed; see its output above"


class DeployError(Exception):
    """The CDK CLI could not do its work, or the local WorkMail could not take over the result; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployReport:
    """The result of a deployment.

    Attributes:
        stacks: What is deployed, as `workmail-flow local deploy --json` prints it.
        problems: Why the app is not deployed as synthesized; empty if it is.
    """

    stacks: list[dict[str, Any]]
    problems: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyReport:
    """The result of destroying an app: names of stacks that are gone now, names of those left, and problems."""

    destroyed: list[str]
    left: list[str]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class LocalApp:
    """A CDK app, and the local WorkMail it is deployed to. Stacks are named as for the CDK CLI; no name means all.

    Args:
        daemon: The running local WorkMail.
        cdk: The app.
        output: Where the CDK CLI writes; a file of the operating system.
        context: Context values, each `KEY=VALUE`.
        environment: Further variables for the app.
    """

    daemon: Daemon
    cdk: CdkApp
    output: IO[str]
    context: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def find(
        cls,
        daemon: Daemon,
        app: str | None,
        *,
        output: IO[str],
        context: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Find the app: a folder with a `cdk.json`, a synthesized app, or a command; None is the working directory.

        Raises:
            CdkError: There is no app.
        """
        cdk = CdkApp.find(app, output=daemon.state / "cdk.out")
        return cls(daemon, cdk, output, context, environment or {})

    def deploy(
        self,
        stacks: Sequence[str] = (),
        *,
        exclusively: bool = False,
        parameters: Sequence[str] = (),
        method: str = "change-set",
    ) -> DeployReport:
        """Deploy stacks, then compare the templates with what exists.

        Args:
            stacks: Names of stacks.
            exclusively: Leave out the stacks that the named ones depend on.
            parameters: CloudFormation parameters, each `[STACK:]KEY=VALUE`.
            method: `change-set` or `direct`, as for `cdk deploy`.

        Raises:
            DeployError: The CDK CLI could not be run or synthesized nothing, or the deployed rules conflict.
        """
        before = {(found.stack, found.region): found.last_event for found in self._deployments()}
        options = ["--require-approval", "never", "--method", method]
        options += ["--exclusively"] if exclusively else []
        options += [item for value in parameters for item in ("--parameters", value)]
        status = self._run("deploy", *(stacks or ["--all"]), *options)
        chosen = self._selected(stacks, with_dependencies=not exclusively)
        self._reload()
        deployments = self._deployments()
        problems: list[str] = []
        reports: list[dict[str, Any]] = []
        for stack in chosen:
            found = deployment_of(stack, deployments)
            missing = missing_from(stack, found)
            problems += missing
            if found is not None and not missing:
                reports.append(_report(found, before.get((found.stack, found.region))))
        if status and not problems:
            problems.append(_CLI_FAILED)
        return DeployReport(stacks=reports, problems=problems)

    def diff(self, stacks: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Let the CDK CLI show what a deployment would change; return the changes as `--json` prints them.

        Raises:
            DeployError: The CDK CLI failed.
        """
        if self._run("diff", *stacks):
            raise DeployError(_CLI_FAILED)
        deployments = self._deployments()
        return [
            {"stack": stack.name, **template_changes(stack, deployment_of(stack, deployments))}
            for stack in self._selected(stacks, with_dependencies=True)
        ]

    def destroy(self, stacks: Sequence[str] = ()) -> DestroyReport:
        """Destroy stacks.

        Raises:
            DeployError: The CDK CLI could not be run or synthesized nothing, or the remaining rules conflict.
        """
        before = self._deployments()
        status = self._run("destroy", *(stacks or ["--all"]), "--force")
        chosen = self._selected(stacks, with_dependencies=False)
        self._reload()
        after = self._deployments()
        left = [stack.name for stack in chosen if deployment_of(stack, after)]
        destroyed = [stack.name for stack in chosen if deployment_of(stack, before) and not deployment_of(stack, after)]
        return DestroyReport(destroyed=destroyed, left=left, problems=left or ([_CLI_FAILED] if status else []))

    def _run(self, *arguments: str) -> int:
        context = [item for value in self.context for item in ("--context", value)]
        ready = self.daemon.ready
        if not self.cdk.is_synthesized:
            # If this synth fails, what the last one left, perhaps of another app, must not count.
            shutil.rmtree(self.cdk.assembly, ignore_errors=True)
        try:
            status = run_cdk(
                self.cdk,
                [*arguments, *context],
                endpoint=ready["aws_endpoint"],
                access_key_id=ready["aws_access_key_id"],
                region=ready["region"],
                output=self.output,
                variables=self.environment,
            )
            if self.cdk.assembly.is_relative_to(self.daemon.state) and self.cdk.assembly.is_dir():
                make_private_folder(self.cdk.assembly)
                narrow(self.cdk.assembly)
        except (CdkError, NotLoopbackError) as error:
            raise DeployError(str(error)) from error
        return status

    def _selected(self, stacks: Sequence[str], *, with_dependencies: bool) -> tuple[SynthesizedStack, ...]:
        try:
            synthesized = synthesized_stacks(self.cdk.assembly)
        except FileNotFoundError:
            raise DeployError("The app was not synthesized; see the output of the CDK CLI above") from None
        return selected_stacks(synthesized, stacks, with_dependencies=with_dependencies)

    def _deployments(self) -> tuple[Deployment, ...]:
        return load_deployments(self.daemon.state)

    def _reload(self) -> None:
        try:
            self.daemon.client.post("/v1/deployments/reload")
        except ApiFailedError as error:
            raise DeployError(f"Deployed, but the local WorkMail keeps the former rules: {error}") from error


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
