"""The WorkMail console in words: how to get to the rules, and the fields of one (L7, F13)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from workmail_flow.arns import INVOKE_FUNCTION, is_known_arn, workmail_principal
from workmail_flow.console_test import PLACEHOLDER_DOMAIN, console_test
from workmail_flow.function_change import arn_in_words
from workmail_flow.limits import END_OF_SUPPORT
from workmail_flow.markdown import code, plain
from workmail_flow.organization_place import OrganizationPlace
from workmail_flow.stack_output import StackOutput, describe_stack, in_region
from workmail_flow.vocabulary import FlowDirection, RuleAction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from workmail_flow.flow_rule import FlowRule
    from workmail_flow.patterns import Pattern
    from workmail_flow.rule_set import RuleSet
    from workmail_flow.template import DeclaredRules

CONSOLE_URL: Final = "https://console.aws.amazon.com/workmail/"

ACTION_LABELS: Final = {
    RuleAction.DROP: "Drop",
    RuleAction.BOUNCE: "Bounce",
    RuleAction.MOVE_TO_JUNK: "Deliver to junk",
    RuleAction.DEFAULT: "Default",
    RuleAction.BYPASS_SPAM_CHECK: "Never deliver to junk",
    RuleAction.ROUTE_TO_SMTP_GATEWAY: "Route to SMTP gateway",
    RuleAction.RUN_LAMBDA: "Run Lambda",
}
"""The console's words for the actions (F2, F3)."""

TABS: Final = {FlowDirection.INBOUND: "Inbound rules", FlowDirection.OUTBOUND: "Outbound rules"}
"""Where the console lists the rules of a direction."""

_EFFECTS: Final = {
    RuleAction.DROP: "Nobody gets the mail, and its sender gets no notice.",
    RuleAction.BOUNCE: "Nobody gets the mail, and its sender gets a bounce message.",
    RuleAction.MOVE_TO_JUNK: "The mail goes to the junk folder.",
    RuleAction.DEFAULT: "The mail is delivered as usual, whatever a broader rule says.",
    RuleAction.BYPASS_SPAM_CHECK: "The mail never goes to the junk folder.",
    RuleAction.ROUTE_TO_SMTP_GATEWAY: "The mail leaves through the SMTP gateway.",
}


def heading(declared: DeclaredRules, title: str) -> Iterator[str]:
    """Yield where the organization is and how to get to its rules."""
    place = OrganizationPlace.of(declared)
    yield f"# {title} {code(declared.organization_id)}"
    yield ""
    yield "| where | |"
    yield "|---|---|"
    yield f"| Region | {code(place.region) if place.region else _unknown(place)} |"
    yield f"| AWS account | {code(place.account) if place.account else _unknown(place)} |"
    if place.alias:
        yield f"| Organization, its alias | {code(place.alias)} |"
    if place.organization_id or not place.alias:
        yield f"| Organization, its id | {code(place.organization_id or declared.organization_id)} |"
    yield ""
    if place.stacks and not (place.region and place.account):
        again = code(f"workmail-flow rules runbook --stack {place.stacks[0]}")
        yield "Whoever deploys the stack prints both with the command below, in the AWS profile of the deployment."
        yield "The answer is `arn:aws:cloudformation:REGION:ACCOUNT:stack/…`. After the deployment,"
        yield f"{again} prints this page with both, and with the ARNs of the functions."
        yield ""
        yield from _command(describe_stack(place.stacks[0], place.region, "Stacks[0].StackId"))
    yield "No API creates email flow rules: a person types them in the Amazon WorkMail console."
    yield f"WorkMail ends on {END_OF_SUPPORT}: after that neither console nor rules are reachable."
    yield ""
    yield f"1. Sign in to the account above, open <{CONSOLE_URL}> and choose the Region above, at the top right."
    yield f"2. Choose **Organizations** → {code(place.alias or declared.organization_id)} → **Organization settings**."
    yield "3. **Inbound rules** and **Outbound rules** list the rules; there are **Create** and **Test**."
    yield ""
    for name, count in Counter(rule.name for rule in declared.rules).items():
        if count > 1:
            yield f"**{count} rules are named {code(name)}.** WorkMail takes each name once: have them renamed first."
            yield ""


def _unknown(place: OrganizationPlace) -> str:
    if place.stacks:
        return f"that of stack {code(place.stacks[0])}; the command below prints it"
    return "not known: a rule file names none; ask whoever deploys the functions"


def purpose(rule: FlowRule) -> Iterator[str]:
    """Yield what the rule does, and whom to ask."""
    yield f"- What for: {plain(rule.description)}" if rule.description else "- What for: nobody has described it."
    yield f"- What happens: {plain(effect(rule))}"
    yield f"- Whom to ask: {plain(rule.owner)}" if rule.owner else "- Whom to ask: nobody is named."


def effect(rule: FlowRule) -> str:
    """Say what happens to the mail of a rule."""
    if rule.action is not RuleAction.RUN_LAMBDA:
        return _EFFECTS[rule.action]
    if rule.synchronous:
        return f"The mail waits for a function, which decides about it. If the function fails, {fallback(rule)}."
    return "A function runs while the mail is delivered, and cannot change the delivery."


def fallback(rule: FlowRule) -> str:
    """Say what mail of a Run Lambda rule gets whose function cannot run (T2, T3, T4)."""
    if rule.fallback is None:
        return "no function runs for the mail, which is delivered as usual"
    minutes = rule.rule_timeout_minutes
    after = f" after {minutes} minutes of retries" if minutes else " at once"
    return f"the mail gets the fallback action {ACTION_LABELS[rule.fallback]}{after}"


def fields(rule: FlowRule) -> Iterator[tuple[str, str]]:
    """Yield the fields of the console beside the patterns, each with its value in Markdown."""
    yield "Rule name", code(rule.name)
    yield "Action", f"**{ACTION_LABELS[rule.action]}**"
    if rule.action is RuleAction.ROUTE_TO_SMTP_GATEWAY:
        yield "SMTP gateway", code(rule.smtp_gateway) if rule.smtp_gateway else "the organization's SMTP gateway"
    if rule.action is not RuleAction.RUN_LAMBDA:
        return
    yield "Lambda function", function_value(rule)
    yield "Run synchronously", "**yes**" if rule.synchronous else "**no**"
    if rule.fallback:
        yield "Fallback action", f"**{ACTION_LABELS[rule.fallback]}**"
        yield "Rule timeout (minutes)", f"**{rule.rule_timeout_minutes}**"


def function_value(rule: FlowRule) -> str:
    """Return the ARN to type, or where to find it."""
    if rule.function is None:
        return "the ARN of the rule's function, among the outputs of its stack once that is deployed"
    return code(rule.function) if is_known_arn(rule.function) else plain(arn_in_words(rule.function))


def pattern_lists(rule: FlowRule) -> Iterator[str]:
    """Yield the patterns to type, one on a line."""
    for field, patterns in (("Sender", rule.senders), ("Destination", rule.destinations)):
        yield f"{field} domains or addresses, {_counted(patterns)}:"
        yield ""
        yield "```text"
        yield from (pattern.text for pattern in patterns)
        yield "```"
        yield ""


def arn_commands(rules: Iterable[FlowRule], place: OrganizationPlace) -> Iterator[str]:
    """Yield the commands that print the ARNs of the rules' functions, where only a deployment knows them."""
    found = (StackOutput.parse(rule.function or "") for rule in rules if rule.action is RuleAction.RUN_LAMBDA)
    for output in dict.fromkeys(each for each in found if each):
        yield f"Once stack {code(output.stack)} is deployed, this prints the ARN:"
        yield ""
        yield from _command(output.command(place.region))


def test_line(rule_set: RuleSet, rule: FlowRule, domains: Sequence[str]) -> str:
    """Say what the console's Test shows for a pair of addresses (F14)."""
    test = console_test(rule_set, rule, domains)
    shown = f"**{ACTION_LABELS[test.action]}**"
    if test.decides is not rule and test.decides is not None:
        shown += f", of rule {code(test.decides.name)}"
    line = f"**Test** from {code(test.sender)} to {code(test.recipient)} shows {shown}."
    if test.has_placeholder:
        line += f" In place of {code(PLACEHOLDER_DOMAIN)}, type a domain of the organization: none is declared."
    return line


def permission(rules: Sequence[FlowRule], declared: DeclaredRules) -> Iterator[str]:
    """Yield how to check that WorkMail may invoke the functions of the rules (L4); nothing without such rules."""
    of_function: dict[str | None, list[FlowRule]] = {}
    for rule in rules:
        if rule.action is RuleAction.RUN_LAMBDA:
            known = rule.function if rule.function and is_known_arn(rule.function) else None
            of_function.setdefault(known, []).append(rule)
    if not of_function:
        return
    place = OrganizationPlace.of(declared)
    yield "## To check the permission"
    yield ""
    yield "WorkMail may invoke a function only if the function's policy says so. This prints the policy:"
    yield ""
    for known, runs in of_function.items():
        names = ", ".join(code(rule.name) for rule in runs)
        yield f"For {names}:" if known else f"For {names}, with the ARN of each function in place of ARN:"
        yield ""
        name = f"--function-name {known or 'ARN'}{in_region(place.region)}"
        yield from _command(f"aws lambda get-policy {name} --query Policy --output text")
    yield "One of its statements must have all of these:"
    yield ""
    yield "| part | value |"
    yield "|---|---|"
    yield "| Effect | `Allow` |"
    yield f"| Principal, Service | {code(workmail_principal(place.region or 'REGION'))} |"
    yield f"| Action | {code(INVOKE_FUNCTION)} |"
    yield f"| Condition, AWS:SourceArn | {code(place.arn)} |"
    yield ""
    if "REGION" in place.arn or "ACCOUNT" in place.arn:
        yield "REGION and ACCOUNT are those above."
    if place.organization_id is None:
        if place.alias:
            yield "This prints ORGANIZATION\\_ID:"
            yield ""
            query = f"OrganizationSummaries[?Alias=='{place.alias}'].OrganizationId"
            yield from _command(
                f'aws workmail list-organizations{in_region(place.region)} --query "{query}" --output text'
            )
        else:
            yield "ORGANIZATION\\_ID is on the organization's page in the console."
    stacks = " or ".join(code(stack) for stack in place.stacks) or "the stack of the function"
    yield f"If there is no such statement, or the answer is `ResourceNotFoundException`, have {stacks} deployed again."
    yield "Until then the function does not run:"
    yield ""
    for rule in (rule for runs in of_function.values() for rule in runs):
        yield f"- {code(rule.name)}: {plain(fallback(rule))}."
    yield ""


def _command(command: str) -> Iterator[str]:
    yield "```console"
    yield command
    yield "```"
    yield ""


def _counted(patterns: tuple[Pattern, ...]) -> str:
    return "one pattern" if len(patterns) == 1 else f"{len(patterns)} patterns, each an entry of its own"
