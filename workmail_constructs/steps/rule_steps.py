"""The steps of one rule: checked, bound to its function, and packed with what runs them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workmail_constructs.assets import generated_folder
from workmail_constructs.content_access import ContentAccess
from workmail_constructs.problems import add_warning
from workmail_constructs.rule_code import RuleCode
from workmail_constructs.steps.binding import StepBinding, StepNeeds
from workmail_constructs.steps.configuration import TokenVariables
from workmail_constructs.steps.step import OnFailure, Recipients, Senders, Step
from workmail_flow.flow_rule import is_one_line
from workmail_flow.handler_requirements import REQUIREMENTS
from workmail_flow.packed_steps import CONFIGURATION_FILE, CONFIGURATION_VERSION
from workmail_flow.patterns import Pattern, PatternKind
from workmail_flow.vocabulary import FlowDirection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from constructs import Construct

    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.run import FallbackAction, Run
    from workmail_constructs.stack_record import StackRecord

_MODULE: Final = "rule_steps"

_DELIVERING: Final = ("DEFAULT", "MOVE_TO_JUNK", "BYPASS_SPAM_CHECK", "ROUTE_TO_SMTP_GATEWAY")
"""The fallback actions after which somebody has the message."""


@dataclass(frozen=True, slots=True)
class BoundSteps:
    """The steps of a rule, ready for its function."""

    code: RuleCode
    needs: StepNeeds


def steps_of(steps: Sequence[Step], direction: FlowDirection) -> list[Step]:
    """Return the steps that run in a rule of a direction."""
    return [step for step in steps if step.direction in (None, direction)]


def content_access_of(steps: Iterable[Step]) -> ContentAccess:
    """Return what the function has to do with message content for the steps."""
    return max((step.content_access for step in steps), key=list(ContentAccess).index, default=ContentAccess.NONE)


def steps_in_words(steps: Iterable[Step]) -> str:
    """Say what the steps do, in their order: each one's name and the first sentence of its class."""
    return " ".join(f"{step.name}: {_first_line(type(step))}" for step in steps)


def _first_line(kind: type[Step]) -> str:
    text = " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())
    return text if is_one_line(text) else f"{kind.__name__}."


def step_problems(
    steps: Sequence[object],
    *,
    run: Run,
    direction: FlowDirection,
    organization: WorkMailOrganization,
    metrics: bool,
) -> Iterator[str]:
    """Yield why a rule cannot have these steps."""
    if isinstance(steps, Step | str) or not isinstance(steps, Sequence):
        yield f"steps: found a {type(steps).__name__} alone; give a list of steps"
        return
    if strangers := [type(step).__name__ for step in steps if not isinstance(step, Step)]:
        yield f"steps: found {', '.join(strangers)}; give instances of Step, such as Banner(…)"
        return
    own = steps_of([step for step in steps if isinstance(step, Step)], direction)
    if not own:
        yield f"steps: found none for {direction.lower()} mail; give at least one, or leave the rule out"
    names = [step.name for step in own]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        yield f"steps: found two with the name {', '.join(twice)}; give each a name of its own, name="
    for step in own:
        if not run.is_synchronous and (step.decides or step.content_access is ContentAccess.UPDATE):
            what = "decides about delivery" if step.decides else "edits the message"
            yield (
                f"steps: found {step.name}, which {what}, on an asynchronous rule; that has no effect there (C4, R10): "
                "run the rule synchronously"
            )
        if direction is FlowDirection.OUTBOUND and step.inbound_only:
            yield f"steps: found {step.name} with an action that outbound mail does not have (R2); give it another one"
        if step.needs_metrics and not metrics:
            yield (
                f"steps: found {step.name}, whose alarm is to tell somebody, with metrics=False; the alarm would never "
                "be on: leave metrics on, or leave its alarm_actions out"
            )
        for whom, words in (("senders", step.senders), ("recipients", step.recipients)):
            if words in ("INTERNAL", "EXTERNAL") and not organization.domains:
                yield (
                    f"steps: found {step.name} for {words} {whom}, and an organization without domains; give "
                    "WorkMailOrganization its domains"
                )


def warn_of_fallback(rule: Construct, steps: Iterable[Step], fallback: FallbackAction | None) -> None:
    """Warn of a fallback action that delivers mail which a guarding step did not see to.

    A step that may fail is not meant: its user has said that mail goes on without it.
    """
    guards = [step.name for step in steps if step.guards and step.on_failure is OnFailure.FAIL]
    if guards and fallback is not None and fallback.value in _DELIVERING:
        add_warning(
            rule,
            "WorkMailStepFallback",
            found=f"the fallback {fallback} with {', '.join(guards)}",
            allowed="BOUNCE or DROP; otherwise mail is delivered that they did not see to, whenever the function fails "
            "until the rule timeout is over (T2)",
            remedy="give run another fallback, or acknowledge this",
        )


def bind_steps(
    rule: Construct,
    steps: Sequence[Step],
    *,
    record: StackRecord,
    organization: WorkMailOrganization,
    direction: FlowDirection,
    run: Run,
    metrics: bool,
) -> BoundSteps:
    """Let each step make what it needs, and return the code that runs them."""
    needs = StepNeeds()
    own = steps_of(steps, direction)
    entries = []
    for step in own:
        binding = StepBinding(rule, step.name, organization, direction, record, metrics, needs)
        entries.append(
            {
                "name": step.name,
                "must": step.on_failure is OnFailure.FAIL,
                "edits": step.content_access is ContentAccess.UPDATE,
                "condition": _condition(step, organization),
                "configuration": step.bind(binding),
            }
        )
    configuration = {
        "version": CONFIGURATION_VERSION,
        "synchronous": run.is_synchronous,
        "direction": direction.value,
        "steps": entries,
    }
    without_tokens = TokenVariables(record.stack, needs.environment).replace(configuration)
    files = {
        f"{_MODULE}.py": _module(own),
        CONFIGURATION_FILE: json.dumps(without_tokens, ensure_ascii=False, indent=1, sort_keys=True) + "\n",
    }
    folders = tuple(dict.fromkeys(needs.folders))
    requirements = [f"-r {file}" for folder in folders if (file := folder / REQUIREMENTS).is_file()]
    requirements += dict.fromkeys(needs.requirements)
    if requirements:
        files[REQUIREMENTS] = "".join(f"{line}\n" for line in requirements)
    return BoundSteps(RuleCode(generated_folder(files), f"{_MODULE}.handler", include=folders), needs)


def packed_patterns(patterns: Iterable[Pattern]) -> dict[str, object]:
    """Return patterns as the running step reads them: the arguments of its `PatternSet`."""
    keys: dict[PatternKind, list[str]] = {kind: [] for kind in PatternKind}
    for pattern in patterns:
        keys[pattern.kind].append(pattern.key)
    packed = {
        "addresses": keys[PatternKind.ADDRESS],
        "domains": keys[PatternKind.DOMAIN],
        "wildcards": keys[PatternKind.WILDCARD_DOMAIN],
        "anybody": bool(keys[PatternKind.ANY]),
    }
    return {name: value for name, value in packed.items() if value}


def _condition(step: Step, organization: WorkMailOrganization) -> dict[str, object]:
    """Return the arguments of the running step's `Condition`."""
    condition: dict[str, object] = {}
    if isinstance(step.senders, tuple):
        condition["senders"] = packed_patterns(step.senders)
    elif step.senders is not Senders.ALL:
        condition["is_internal"] = step.senders is Senders.INTERNAL
    if isinstance(step.recipients, tuple):
        if not any(pattern.kind is PatternKind.ANY for pattern in step.recipients):
            condition["recipients"] = packed_patterns(step.recipients)
    elif step.recipients is not Recipients.ALL:
        condition["to_internal"] = step.recipients is Recipients.INTERNAL
    if condition.keys() & {"is_internal", "to_internal"}:
        # A token may be written in another spelling than addresses are compared in; domains usually are no tokens.
        condition["internal"] = {"domains": organization.domain_keys}
    return condition


def _module(steps: Sequence[Step]) -> str:
    """Return the handler's module. It imports the functions of the steps in use, so nothing else is packed."""
    imports = []
    for index, step in enumerate(steps):
        module, _, name = step.function.partition(":")
        imports.append(f"from {module} import {name} as step_{index}\n")
    functions = ", ".join(f"step_{index}" for index in range(len(steps)))
    return (
        '"""Runs the steps of a rule; generated at synth."""\n\n'
        "from workmail_rules.run_steps import new_handler\n"
        f"{''.join(imports)}\n"
        f"handler = new_handler(__file__, [{functions}])\n"
    )
