"""What is wrong with the arguments of a `RunLambdaRule`, found before anything is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import RemovalPolicy
from aws_cdk.aws_lambda import SingletonFunction

from workmail_constructs.content_access import ContentAccess
from workmail_constructs.rule_code import RuleCode
from workmail_constructs.rule_function import FunctionOptions
from workmail_constructs.steps.configuration import VARIABLE_PREFIX
from workmail_constructs.steps.rule_steps import step_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workmail_constructs.interfaces import AnyFunction
    from workmail_constructs.message_bucket import MessageBucketOptions
    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.run import Run
    from workmail_constructs.steps.step import Step
    from workmail_flow.vocabulary import FlowDirection

_MADE_BY: Final = {
    "organization": "WorkMailOrganization.from_organization_id(…)",
    "run": "Run.synchronous(fallback=…) or Run.asynchronous()",
    "function": "Function.from_function_attributes(…) for an existing function",
    "message_bucket": "Bucket.from_bucket_name(…) for an existing bucket",
}


def check_no_text(rule_id: str, **arguments: object) -> None:
    """Refuse ids, ARNs and names where a construct is needed."""
    problems = [
        f"{name}: found the text {value!r}; give {_MADE_BY[name]}"
        for name, value in arguments.items()
        if isinstance(value, str)
    ]
    if problems:
        raise TypeError("\n".join([f"RunLambdaRule {rule_id!r}:", *(f"  {problem}" for problem in problems)]))


def steps_problems(
    steps: Sequence[Step] | None,
    content_access: object,
    options: FunctionOptions,
    *,
    run: Run,
    direction: FlowDirection,
    organization: WorkMailOrganization,
) -> Iterator[str]:
    """Yield what is wrong with the steps and what stands beside them."""
    if steps is None:
        return
    if content_access is not None:
        yield "content_access: found beside steps; it follows from what the steps do"
    taken = sorted(name for name in options.get("environment", {}) if name.startswith(VARIABLE_PREFIX))
    if taken:
        yield f"environment: found {', '.join(taken)}; names that begin with {VARIABLE_PREFIX} are the steps' own"
    metrics = options.get("metrics", True)
    yield from step_problems(steps, run=run, direction=direction, organization=organization, metrics=metrics)


def function_problems(
    code: RuleCode | None, steps: Sequence[Step] | None, function: AnyFunction | None, options: FunctionOptions
) -> Iterator[str]:
    """Yield what is wrong with the arguments that say which function the rule runs."""
    given = [name for name, value in (("code", code), ("steps", steps), ("function", function)) if value is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        yield (
            f"code, steps, function: found {found}; give the code or the steps of a function to make, or an existing "
            "function"
        )
    if code is not None and not isinstance(code, RuleCode):
        yield (
            f"code: found {type(code).__name__}; give RuleCode.from_folder(…), which packs the runtime too, or make "
            "the function yourself and give it as function"
        )
    if hasattr(function, "email_flow_rule"):
        yield "function: found a RunLambdaRule; give its function: rule.function"
    elif isinstance(function, SingletonFunction):
        yield (
            f"function: found the SingletonFunction {function.node.path}, which does not show the function it stands "
            "for: its permission and bucket would be made once for each construct; give a Function that the rules share"
        )
    unknown = sorted(set(options) - FunctionOptions.__annotations__.keys())
    if unknown:
        yield f"{', '.join(unknown)}: unknown argument; see RunLambdaRule and FunctionOptions"
    elif function is not None and options:
        yield (
            f"{', '.join(sorted(options))}: found beside function; an existing function brings its own, so set it "
            "where the function is defined"
        )


def content_problems(access: ContentAccess, *, run: Run, bucket_options: MessageBucketOptions) -> Iterator[str]:
    """Yield what is wrong with the arguments that say what the function does with message content."""
    given = bucket_options.given()
    if access is ContentAccess.UPDATE and not run.is_synchronous:
        yield (
            "content_access: found UPDATE on an asynchronous rule; only an update by a synchronous rule's function has "
            "an effect (C4): run the rule synchronously, or ask for READ"
        )
    if access is not ContentAccess.UPDATE and given:
        yield f"{', '.join(given)}: found with content_access {access}; only UPDATE has a bucket"
    elif bucket_options.bucket is not None and len(given) > 1:
        others = ", ".join(name for name in given if name != "message_bucket")
        yield f"{others}: found beside message_bucket; an existing bucket brings its own"
    elif bucket_options.auto_delete_objects and bucket_options.removal_policy is not RemovalPolicy.DESTROY:
        yield (
            "message_bucket_auto_delete_objects: found without message_bucket_removal_policy=RemovalPolicy.DESTROY; "
            "only a bucket that is removed is emptied"
        )
