"""Checks an app's hand-written WorkMail permissions: those that would not work, or that allow too much."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import jsii
from aws_cdk import CfnResource, IAspect, Stack, Stage
from aws_cdk.aws_lambda import CfnPermission

from workmail_constructs.app_synthesis import AppSynthesis
from workmail_constructs.problems import add_problem, add_warning
from workmail_flow.arns import INVOKE_FUNCTION, organization_arn
from workmail_flow.limits import ORGANIZATION_ID_PATTERN, WORKMAIL_REGIONS
from workmail_flow.template import spell_intrinsic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from constructs import IConstruct

# Both patterns read text as `Fn::Sub` spells it, with references, such as ${AWS::Region}, in place of their values.
_PRINCIPAL: Final = re.compile(
    r"(?P<service>(?:availability\.)?workmail)(?:\.(?P<region>\$\{[^}]*\}|[^.]+))?"
    r"\.(?:amazonaws\.com(?:\.cn)?|\$\{AWS::URLSuffix\})"
)
_FIELD: Final = r"(?:\$\{[^}]*\}|[^:])*"
_ORGANIZATION_ARN: Final = re.compile(
    rf"arn:{_FIELD}:workmail:(?P<region>{_FIELD}):(?P<account>{_FIELD}):organization/(?P<organization>.*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    id: str
    found: str
    allowed: str
    remedy: str
    certain: bool = True
    """Whether it is an error. If only the deployment decides, it is a warning."""


@jsii.implements(IAspect)
class WorkMailPermissionChecks:
    """Checks every Lambda permission for WorkMail in an app, whoever wrote it.

    Add it to the app: `Aspects.of(app).add(WorkMailPermissionChecks())`. It checks stages too, which other aspects on
    an app do not reach, those of a pipeline as well. Each problem becomes an error at the permission's path, and fails
    `cdk synth`: a principal without a Region or of another Region than its stack (L4), a missing source ARN or one that
    several organizations match (L4), an organization of another Region or account (L2), a stack in a Region without
    WorkMail (L1). The same checks apply to permissions for custom availability providers (L5).

    What only the deployment decides is trusted, with one exception: a literal Region in a stack that may be deployed
    anywhere is a warning. Changes made with `add_property_override` are not seen.
    """

    def visit(self, node: IConstruct) -> None:
        """Check `node`; CDK calls it for each construct."""
        if isinstance(node, Stage):
            self._visit_stages_in(node)
        else:
            _check(node)

    def _visit_stages_in(self, outer: Stage) -> None:
        for stage in outer.node.find_all():
            if isinstance(stage, Stage) and stage.parent_stage is outer:
                for node in stage.node.find_all():
                    if _check(node):
                        # CDK has written the stage before the app's aspects ran.
                        AppSynthesis.of(outer.node.root).write_again(node)


def _check(node: IConstruct) -> bool:
    """Report what is wrong with `node` if it is a permission for WorkMail, and return whether anything is."""
    if isinstance(node, CfnPermission):
        written: Mapping[str, object] = {
            "Principal": node.principal,
            "SourceArn": node.source_arn,
            "Action": node.action,
        }
    elif type(node) is CfnResource and node.cfn_resource_type == CfnPermission.CFN_RESOURCE_TYPE_NAME:
        written = node._cfn_properties  # noqa: SLF001 - CDK has it for subclasses and tools
    else:
        return False
    stack = Stack.of(node)
    resolved = stack.resolve({**written, "Region": stack.region, "Account": stack.account})
    text = {name: spell_intrinsic(value) for name, value in resolved.items()}
    problems = tuple(
        _problems(
            principal=text.get("Principal", ""),
            source_arn=text.get("SourceArn"),
            action=text.get("Action"),
            region=_known(text["Region"]),
            account=_known(text["Account"]),
        )
    )
    for problem in problems:
        report = add_problem if problem.certain else add_warning
        report(node, problem.id, found=problem.found, allowed=problem.allowed, remedy=problem.remedy)
    return bool(problems)


def _problems(
    *, principal: str, source_arn: str | None, action: str | None, region: str | None, account: str | None
) -> Iterator[_Problem]:
    parsed = _PRINCIPAL.fullmatch(principal)
    if parsed is None:
        return
    service = parsed["service"]
    yield from _region_problems(parsed["region"], principal=principal, service=service, stack_region=region)
    # No organization is right for a Region without WorkMail.
    own_region = region if region in WORKMAIL_REGIONS else None
    yield from _source_arn_problems(source_arn, region=own_region, account=account)
    if action != INVOKE_FUNCTION:
        yield _Problem(
            id="WorkMailPermissionAction",
            found=f"the permission allows WorkMail {action}",
            allowed=f"{INVOKE_FUNCTION}, the only action WorkMail needs (L4)",
            remedy=f'set the action to "{INVOKE_FUNCTION}"',
        )


def _region_problems(
    region: str | None, *, principal: str, service: str, stack_region: str | None
) -> Iterator[_Problem]:
    if stack_region and stack_region not in WORKMAIL_REGIONS:
        yield _Problem(
            id="WorkMailRegion",
            found=f"a permission for WorkMail in a stack of {stack_region}",
            allowed=f"{', '.join(WORKMAIL_REGIONS)}: WorkMail exists nowhere else, and calls functions of its own "
            "Region only (L1, L2)",
            remedy="move the function and its permission to a stack in the organization's Region",
        )
        return
    right = f"{service}.{stack_region or '${AWS::Region}'}.amazonaws.com"
    remedy = f'write the principal as f"{service}.{{Stack.of(self).region}}.amazonaws.com", or use RunLambdaRule'
    if region is None:
        yield _Problem(
            id="WorkMailPrincipalWithoutRegion",
            found=f"principal {principal}",
            allowed=f"{right}: WorkMail calls functions as the principal of its Region (L4)",
            remedy=remedy,
        )
    elif _known(region) is None or region == stack_region:
        return
    elif stack_region or region not in WORKMAIL_REGIONS:
        yield _Problem(
            id="WorkMailPrincipalOfAnotherRegion",
            found=f"principal {principal}" + (f" in a stack of {stack_region}" if stack_region else ""),
            allowed=f"{right}: a rule runs functions of the organization's own Region only (L1, L2)",
            remedy=remedy,
        )
    else:
        yield _Problem(
            id="WorkMailPrincipalOfFixedRegion",
            found=f"principal {principal} in a stack whose Region is not known before it is deployed",
            allowed=f"{right}, which follows the stack (L4)",
            remedy=f"{remedy}; or give the stack its env",
            certain=False,
        )


def _source_arn_problems(source_arn: str | None, *, region: str | None, account: str | None) -> Iterator[_Problem]:
    allowed = organization_arn(
        "ORGANIZATION_ID", region=region or "${AWS::Region}", account=account or "${AWS::AccountId}"
    )
    remedy = "give source_arn the ARN of the one organization (WorkMailOrganization.organization_arn)"
    if source_arn is None:
        yield _Problem(
            id="WorkMailSourceArnMissing",
            found="a permission for WorkMail without source ARN, which lets any organization call the function",
            allowed=f"{allowed} (L4)",
            remedy=remedy,
        )
        return
    if "*" in source_arn or "?" in source_arn:
        yield _Problem(
            id="WorkMailSourceArnWildcard",
            found=f"source ARN {source_arn}, which other organizations match too",
            allowed=f"{allowed} (L4)",
            remedy=remedy,
        )
        return
    parsed = _ORGANIZATION_ARN.fullmatch(source_arn)
    if parsed is None:
        if _known(source_arn):
            yield _Problem(
                id="WorkMailSourceArnOfSomethingElse",
                found=f"source ARN {source_arn}, which is not that of a WorkMail organization",
                allowed=f"{allowed} (L3)",
                remedy=remedy,
            )
        return
    organization_id = _known(parsed["organization"])
    if organization_id and not re.fullmatch(ORGANIZATION_ID_PATTERN, organization_id):
        yield _Problem(
            id="WorkMailOrganizationId",
            found=f"organization id {organization_id} in the source ARN",
            allowed="m- and 32 lower-case hex digits (L3)",
            remedy=remedy,
        )
    for what, found, own in (("Region", parsed["region"], region), ("account", parsed["account"], account)):
        if own and _known(found) and found != own:
            yield _Problem(
                id=f"WorkMailOrganizationOfAnother{what.capitalize()}",
                found=f"source ARN {source_arn} in a stack of {what} {own}",
                allowed=f"an organization of {what} {own}: a rule runs functions of its own Region and account (L2)",
                remedy=f"put the function into a stack of {what} {found}, or name an organization of {own}",
            )


def _known(text: str | None) -> str | None:
    """Return `text` if all of it is known before the deployment."""
    # Intrinsics are spelled `${…}`, and as JSON where `Fn::Sub` has no such spelling.
    return None if text is None or "${" in text or '{"' in text else text
