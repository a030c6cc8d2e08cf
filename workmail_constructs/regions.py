"""Where a stack is deployed, and the guards that keep its rules in WorkMail's Regions and the organization's own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary, WeakSet

from aws_cdk import CfnRule, CfnRuleAssertion, Fn, NestedStack, Stack

from workmail_constructs.problems import add_problem
from workmail_flow.limits import WORKMAIL_REGIONS

if TYPE_CHECKING:
    from aws_cdk import ICfnRuleConditionExpression
    from constructs import IConstruct


@dataclass(frozen=True, slots=True)
class Environment:
    """A stack's Region and account: known text, or the token of `AWS::Region` and `AWS::AccountId`."""

    region: str
    account: str


_STACK_OF: Final[WeakKeyDictionary[IConstruct, Stack]] = WeakKeyDictionary()
_ENVIRONMENT_OF: Final[WeakKeyDictionary[Stack, Environment]] = WeakKeyDictionary()
_GUARDED: Final[WeakSet[Stack]] = WeakSet()
_ASSERTED: Final[WeakKeyDictionary[Stack, set[str]]] = WeakKeyDictionary()


def stack_of(scope: IConstruct) -> Stack:
    """Return the stack that `scope` is, or is in; asks CDK once for each scope."""
    if isinstance(scope, Stack):
        return scope
    stack = _STACK_OF.get(scope)
    if stack is None:
        stack = _STACK_OF[scope] = Stack.of(scope)
    return stack


def environment_of(stack: Stack) -> Environment:
    """Return where a stack is deployed; asks CDK once for each stack."""
    environment = _ENVIRONMENT_OF.get(stack)
    if environment is None:
        environment = _ENVIRONMENT_OF[stack] = Environment(stack.region, stack.account)
    return environment


def is_known(text: str) -> bool:
    """Whether text is what it says, and not (in part) a token that only the deployment resolves.

    CDK's own `Token.is_unresolved` says the same at the price of a call into Node.js.
    """
    return "${Token[" not in text


def guard_region(stack: Stack) -> None:
    """Keep a stack out of Regions without WorkMail (L1), once for each stack.

    A Region known now is reported at synth. For any other the template gets a rule that CloudFormation asserts before
    it makes the first resource; a nested stack's stands in the stack around it.
    """
    if stack in _GUARDED:
        return
    _GUARDED.add(stack)
    region = environment_of(stack).region
    if is_known(region):
        if region not in WORKMAIL_REGIONS:
            add_problem(
                stack,
                "WorkMailRegion",
                found=f"a stack with Run Lambda rules in {region}",
                allowed=f"{', '.join(WORKMAIL_REGIONS)}: WorkMail exists nowhere else, and runs functions of its own "
                "Region only (L1, L2)",
                remedy="give the stack env=Environment(region=…) with the Region of the organization",
            )
    elif isinstance(stack, NestedStack) and stack.nested_stack_parent:
        guard_region(stack.nested_stack_parent)
    else:
        _assert_first(
            stack,
            "WorkMailRegion",
            _is_workmail_region(region),
            f"WorkMail exists in {', '.join(WORKMAIL_REGIONS)} only: deploy this stack in the organization's Region",
        )


def guard_place(scope: IConstruct, stack: Stack, *, what: str, region: str, account: str, remedy: str) -> None:
    """Hold what a rule in `stack` works with to the Region and account of the stack (L2).

    What is known now is reported at synth. Where only the deployment decides where the stack goes, the template gets a
    rule that CloudFormation asserts first. What is a token itself is trusted.

    Args:
        scope: The construct concerned.
        stack: Its stack.
        what: What is held to it, with its article.
        region: Its Region.
        account: Its account.
        remedy: What to do.
    """
    own = environment_of(stack)
    for place, found, here in (("Region", region, own.region), ("account", account, own.account)):
        if found == here or not is_known(found):
            continue
        if is_known(here):
            add_problem(
                scope,
                f"WorkMailAnother{place.capitalize()}",
                found=f"{what} of {place} {found} in a stack of {place} {here}",
                allowed=f"{place} {here}: a rule runs functions of its organization's Region and account only (L2)",
                remedy=remedy,
            )
        else:
            _assert_first(
                stack,
                f"WorkMail{place.capitalize()}{found}",
                Fn.condition_equals(here, found),
                f"The stack's Run Lambda rules are for {place} {found}: deploy it there",
            )


@cache
def _is_workmail_region(region: str) -> ICfnRuleConditionExpression:
    return Fn.condition_contains(list(WORKMAIL_REGIONS), region)


def _assert_first(stack: Stack, name: str, condition: ICfnRuleConditionExpression, otherwise: str) -> None:
    while isinstance(stack, NestedStack) and stack.nested_stack_parent:
        stack = stack.nested_stack_parent
    names = _ASSERTED.setdefault(stack, set())
    if name not in names:
        names.add(name)
        CfnRule(stack, name, assertions=[CfnRuleAssertion(assert_=condition, assert_description=otherwise)])
