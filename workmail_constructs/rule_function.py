"""The function of a rule: a new one, or an existing one that gets what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict, cast

from aws_cdk import Duration
from aws_cdk.aws_iam import Role, ServicePrincipal
from aws_cdk.aws_lambda import Alias, Architecture, Function, Runtime, Version
from aws_cdk.aws_lambda_destinations import SqsDestination
from aws_cdk.aws_sqs import Queue, QueueEncryption

from workmail_constructs import defaults
from workmail_constructs.guards import guard_place, guard_timeout
from workmail_constructs.problems import add_warning
from workmail_flow.arns import GET_CONTENT
from workmail_flow.message_bucket import MESSAGE_BUCKET_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk.aws_iam import IPrincipal, IRole, PolicyStatement
    from aws_cdk.aws_lambda import IDestination
    from aws_cdk.aws_logs import LogGroup, RetentionDays
    from constructs import Construct

    from workmail_constructs.content_access import ContentGrant
    from workmail_constructs.interfaces import AnyBucket, AnyFunction
    from workmail_constructs.rule_code import RuleCode
    from workmail_constructs.run import Run
    from workmail_constructs.stack_record import StackRecord

# Made once per process, since each costs a call into Node.js.
RUNTIME: Final = Runtime.PYTHON_3_13
_ARCHITECTURE: Final = Architecture.ARM_64  # cheaper than x86_64 for the same work, in all of WorkMail's Regions
_LAMBDA: Final = cast("IPrincipal", ServicePrincipal("lambda.amazonaws.com"))
_SYNCHRONOUS_TIMEOUT: Final = Duration.seconds(defaults.SYNCHRONOUS_TIMEOUT_SECONDS)
_ASYNCHRONOUS_TIMEOUT: Final = Duration.seconds(defaults.ASYNCHRONOUS_TIMEOUT_SECONDS)
_ON_FAILURE_RETENTION: Final = Duration.days(defaults.ON_FAILURE_RETENTION_DAYS)


class FunctionOptions(TypedDict, total=False):
    """How `RunLambdaRule` makes its function; an existing function brings its own."""

    description: str
    environment: Mapping[str, str]
    log_retention: RetentionDays
    """How long its log is kept; a month by default."""
    memory_size: int
    """In MB; 256 by default."""
    timeout: Duration
    """By default 14 seconds for a synchronous rule, since WorkMail waits 15 (T1), and a minute for an asynchronous
    one."""


def new_function(
    scope: Construct,
    code: RuleCode,
    *,
    record: StackRecord,
    run: Run,
    content: ContentGrant,
    log_group: LogGroup,
    on_failure_queue: Queue | None,
    options: FunctionOptions,
) -> Function:
    """Make the function of the rule `scope`; its role may write to this log group only and do what `content` grants."""
    timeout = options.get("timeout")
    if timeout is not None and run.is_synchronous:
        guard_timeout(scope, timeout)
    environment = dict(options.get("environment", {}))
    if content.message_bucket is not None:
        environment[MESSAGE_BUCKET_VARIABLE] = content.message_bucket.bucket_name
    # Not the role that CDK makes: it may write to every log group of the account.
    role = Role(scope, "Role", assumed_by=_LAMBDA)
    log_group.grant_write(role)
    return Function(
        scope,
        "Function",
        runtime=RUNTIME,
        architecture=_ARCHITECTURE,
        code=code.unchecked_in_stack(record.stack),
        handler=code.handler,
        memory_size=options.get("memory_size", defaults.MEMORY_MB),
        timeout=timeout or (_SYNCHRONOUS_TIMEOUT if run.is_synchronous else _ASYNCHRONOUS_TIMEOUT),
        log_group=log_group,
        role=cast("IRole", role),
        description=options.get("description"),
        environment=environment or None,
        initial_policy=[*content.statements] or None,
        on_failure=_destination(on_failure_queue) if on_failure_queue else None,
    )


def new_on_failure_queue(scope: Construct) -> Queue:
    """Make the queue that keeps the events whose asynchronous function failed for good: encrypted, TLS only."""
    return Queue(
        scope,
        "OnFailure",
        encryption=QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=_ON_FAILURE_RETENTION,
    )


def complete_function(
    scope: Construct, function: AnyFunction, *, record: StackRecord, run: Run, content: ContentGrant
) -> Queue | None:
    """Add to an existing function what it lacks for the rule `scope`.

    A function of another Region or account is an error, and so is one that is too slow for a synchronous rule. If CDK
    cannot change an imported function, a warning says what is missing.

    Returns:
        The queue made for the failed events of an asynchronous function; None if it keeps them already.
    """
    guard_place(
        scope,
        record,
        what=f"the function {function.node.path}",
        region=function.env.region,
        account=function.env.account,
        remedy="give the rule a function of its own stack's Region and account",
    )
    made_here = _function_behind(function)
    queue = None
    if not run.is_synchronous:
        queue = _keep_failed_events(scope, function, made_here)
    elif made_here is not None and made_here.timeout is not None:  # Lambda's default is 3 seconds
        guard_timeout(scope, made_here.timeout)
    if content.statements:
        _grant(scope, function, content.statements)
    if content.message_bucket is not None:
        _name_bucket(scope, made_here, content.message_bucket)
    return queue


def _function_behind(function: AnyFunction) -> Function | None:
    """Return the function that a function, version or alias stands for, if this app makes it."""
    if isinstance(function, Alias):
        function = function.version
    if isinstance(function, Version):
        function = function.lambda_
    return function if isinstance(function, Function) else None


def _keep_failed_events(scope: Construct, function: AnyFunction, made_here: Function | None) -> Queue | None:
    if function.node.try_find_child("EventInvokeConfig") is not None:
        return None
    if made_here is not None and (made_here.dead_letter_queue or made_here.dead_letter_topic):
        return None
    if function.role is None:
        add_warning(
            scope,
            "WorkMailOnFailure",
            found="an asynchronous rule with an imported function whose role is not known",
            allowed="an on-failure destination; without one, events that the function fails on are lost",
            remedy="import it with its role (Function.from_function_attributes), or give it a destination where it is "
            "defined",
        )
        return None
    queue = new_on_failure_queue(scope)
    function.configure_async_invoke(on_failure=_destination(queue))
    return queue


def _destination(queue: Queue) -> IDestination:
    return cast("IDestination", SqsDestination(queue))  # it is one, except for a parameter's name


def _grant(scope: Construct, function: AnyFunction, statements: tuple[PolicyStatement, ...]) -> None:
    role = function.role
    added = [role is not None and role.add_to_principal_policy(each).statement_added for each in statements]
    if not all(added):
        add_warning(
            scope,
            "WorkMailContentRights",
            found="a function whose role CDK does not know or cannot change",
            allowed=f"rights on message content, such as {GET_CONTENT}; without them content_access has no effect (C3)",
            remedy="grant them where the role is defined, or import the function with its role "
            "(Function.from_function_attributes)",
        )


def _name_bucket(scope: Construct, made_here: Function | None, bucket: AnyBucket) -> None:
    if made_here is not None:
        made_here.add_environment(MESSAGE_BUCKET_VARIABLE, bucket.bucket_name)
        return
    add_warning(
        scope,
        "WorkMailMessageBucketVariable",
        found="an imported function, whose environment CDK cannot change",
        allowed=f"the environment variable {MESSAGE_BUCKET_VARIABLE} with the name of the bucket for updated messages",
        remedy="set it where the function is defined, or give its code the bucket in another way",
    )
