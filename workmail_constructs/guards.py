"""Guards: a stack's Region, what it works with being in the same place, and WorkMail's time limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnRule, CfnRuleAssertion, Fn

from workmail_constructs.defaults import SYNCHRONOUS_TIMEOUT_SECONDS
from workmail_constructs.email_flow_rules import EmailFlowRules
from workmail_constructs.problems import add_problem
from workmail_constructs.stack_record import is_known
from workmail_flow.limits import SYNCHRONOUS_LIMIT_SECONDS, WORKMAIL_REGIONS

if TYPE_CHECKING:
    from aws_cdk import ICfnRuleConditionExpression
    from constructs import IConstruct

    from workmail_constructs.stack_record import StackRecord


def guard_region(record: StackRecord) -> None:
    """Keep a stack out of Regions without WorkMail (L1).

    A Region known now is reported at synth, once per stack. Otherwise the template gets a rule that CloudFormation
    asserts before it makes the first resource; a nested stack relies on the rule of the stack around it.
    """
    if record.is_region_guarded:
        return
    record.is_region_guarded = True
    region, allowed = record.region, ", ".join(WORKMAIL_REGIONS)
    if not is_known(region):
        # The rule of the stack around is made once, for all stacks nested in it.
        if record.top_level is not record:
            guard_region(record.top_level)
            return
        _assert_first(
            record,
            "WorkMailRegion",
            Fn.condition_contains(list(WORKMAIL_REGIONS), region),
            f"WorkMail exists in {allowed} only: deploy this stack in the organization's Region",
        )
    elif region not in WORKMAIL_REGIONS:
        add_problem(
            record.stack,
            "WorkMailRegion",
            found=f"a stack for WorkMail in {region}",
            allowed=f"{allowed}: WorkMail exists nowhere else, and works with its own Region only (L1, L2, W2)",
            remedy="give the stack env=Environment(region=…) with the Region of the organization",
        )


def guard_place(
    scope: IConstruct,
    record: StackRecord,
    *,
    what: str,
    region: str,
    account: str,
    remedy: str,
    fact: str = "a rule runs functions of its organization's Region and account only (L2)",
) -> None:
    """Require that what a rule or an event log works with is in the Region and account of its stack (L2, W2).

    A difference known now is reported at synth, and so are two places that one stack would have to be in. Where only
    the deployment decides the stack's place, the template gets a rule that CloudFormation asserts first. A Region or
    account that is a token itself is trusted.

    Args:
        scope: The rule or event log.
        record: The record of its stack.
        what: What must be in that place, with its name or article.
        region: Its Region.
        account: Its account.
        remedy: What to do.
        fact: Why it must be there.
    """
    for place, found, here in (("Region", region, record.region), ("account", account, record.account)):
        if found == here or not is_known(found):
            continue
        if is_known(here):
            add_problem(
                scope,
                f"WorkMailAnother{place.capitalize()}",
                found=f"{what} of {place} {found} in a stack of {place} {here}",
                allowed=f"{place} {here}: {fact}",
                remedy=remedy,
            )
            continue
        required_places = record.top_level.required_places
        if place not in required_places:
            required_places[place] = found, what, scope
            _assert_first(
                record.top_level,
                f"WorkMail{place.capitalize()}{found}",
                Fn.condition_equals(here, found),
                f"What the stack has for WorkMail belongs to {place} {found}: deploy it there",
            )
            continue
        required, by_what, by_scope = required_places[place]
        if found != required:
            add_problem(
                scope,
                f"WorkMailTwo{place.capitalize()}s",
                found=f"{what} of {place} {found} in one stack with {by_what} of {place} {required}, which "
                f"{by_scope.node.path} needs",
                allowed=f"one {place} per stack: {fact}",
                remedy="put each into a stack of its own with env=Environment(region=…, account=…)",
            )


def guard_timeout(scope: IConstruct, seconds: float) -> None:
    """Report the function of a synchronous rule that may run for as long as WorkMail waits, or longer (T1)."""
    if seconds >= SYNCHRONOUS_LIMIT_SECONDS:
        add_problem(
            scope,
            "WorkMailSynchronousTimeout",
            found=f"a function timeout of {seconds:g} seconds on a synchronous rule",
            allowed=f"less than {SYNCHRONOUS_LIMIT_SECONDS} seconds, which is how long WorkMail waits (T1)",
            remedy=f"set timeout to {SYNCHRONOUS_TIMEOUT_SECONDS} seconds or less, or run the rule asynchronously",
        )


def _assert_first(record: StackRecord, name: str, condition: ICfnRuleConditionExpression, otherwise: str) -> None:
    assertion = CfnRuleAssertion(assert_=condition, assert_description=otherwise)
    CfnRule(EmailFlowRules.of(record.stack), name, assertions=[assertion])
