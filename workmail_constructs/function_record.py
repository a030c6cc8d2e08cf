"""One function as all its rules see it: what belongs to it is made once, beside it, whichever rule comes first."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast
from weakref import WeakKeyDictionary

from aws_cdk import Duration, TreeInspector
from aws_cdk.aws_iam import PolicyStatement, Role
from aws_cdk.aws_lambda import Alias, CfnEventInvokeConfig, CfnPermission, Function, Version
from aws_cdk.aws_sqs import Queue, QueueEncryption
from constructs import Construct

from workmail_constructs import defaults
from workmail_constructs.guards import guard_timeout
from workmail_constructs.message_bucket import MessageBucketOptions, check_bucket, let_workmail_read, new_bucket
from workmail_constructs.problems import add_problem, add_warning, shown_statements
from workmail_constructs.stack_record import StackRecord, is_known
from workmail_flow.arns import INVOKE_FUNCTION, workmail_principal
from workmail_flow.message_bucket import MESSAGE_BUCKET_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import CfnResource
    from aws_cdk.aws_iam import IRole
    from aws_cdk.aws_lambda import CfnFunction

    from workmail_constructs.interfaces import AnyBucket, AnyFunction
    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.stack_record import AppRecord

_ON_FAILURE_RETENTION: Final = Duration.days(defaults.ON_FAILURE_RETENTION_DAYS)
_SEND_MESSAGE: Final = "sqs:SendMessage"


@dataclass(frozen=True, slots=True)
class FunctionBucket:
    """A function's bucket for updated messages."""

    bucket: AnyBucket
    options: MessageBucketOptions
    """How its first rule asked for it."""
    rule: Construct
    """That rule."""


@dataclass(eq=False, slots=True)
class FunctionRecord:
    """What the rules of one function know of it and have made for it.

    A rule may name the function itself, or a version or an alias of it. The bucket, the queue and the rights of the
    role belong to the function; the permission and the destination of failed events belong to what is named.
    """

    record: StackRecord
    """Of the function's stack. Everything that belongs to the function is made there."""
    function: AnyFunction | None = None
    """None only while the rule that makes it is being made."""
    rule: Construct | None = None
    """The rule that makes the function; None for a function that was given."""
    bucket: FunctionBucket | None = None
    """Where it puts updated messages; None if it updates none."""
    on_failure_queue: Queue | None = None
    permissions: dict[tuple[AnyFunction, str], CfnPermission] = field(default_factory=dict)
    """By what is invoked, and the ARN of the organization that may."""
    synchronous_rules: list[Construct] = field(default_factory=list)
    """The rules that wait for the function."""
    _with_queue: set[AnyFunction] = field(default_factory=set)
    """What is named by asynchronous rules and sends its failed events to the queue."""
    _beside: dict[AnyFunction, Construct] = field(default_factory=dict)
    _grantee: IRole | None = None

    @classmethod
    def of(cls, named: AnyFunction) -> FunctionRecord:
        """Return the record of an existing function by what a rule names: the function, or a version or alias of it."""
        function = named
        if isinstance(function, Alias):
            function = function.version
        if isinstance(function, Version):
            function = function.lambda_
        record = StackRecord.of(function)
        return _functions(record).setdefault(function, cls(record, function))

    def adopt(self, function: Function, *, with_queue: bool) -> None:
        """Take the function that `rule` has made, with the queue as the destination of its failed events or without."""
        self.function = function
        if with_queue:
            self._with_queue.add(function)
        _functions(self.record)[function] = self

    @property
    def made_here(self) -> Function | None:
        """The function, if this app makes it; None if it is imported."""
        return self.function if isinstance(self.function, Function) else None

    @property
    def scope(self) -> Construct:
        """Where what belongs to the function is made."""
        assert self.function or self.rule, "one of them is known from the start"  # noqa: S101
        return self.rule or self._beside_of(cast("AnyFunction", self.function))

    @property
    def unqualified_arn(self) -> str | None:
        """The ARN of an imported function, without version or alias; None if only the deployment knows it."""
        if self.function is None or self.made_here is not None:
            return None
        arn = self.function.function_arn
        return ":".join(arn.split(":")[:7]) if is_known(arn) else None

    def environment(self) -> dict[str, Any]:
        """Return the environment of a function that this app makes, as the template will have it."""
        variables: dict[str, Any] = _rendered(self.made_here).get("environment", {}).get("variables", {})
        return variables

    def invoke_permission(self, named: AnyFunction, arn: str, organization: WorkMailOrganization) -> CfnPermission:
        """Let WorkMail invoke what has this ARN for one organization (L4); rules that name it share the permission."""
        key = (named, organization.organization_arn)
        permission = self.permissions.get(key)
        if permission is None:
            own = self.rule if not self.permissions else None
            permission = self.permissions[key] = CfnPermission(
                own or self._beside_of(named),
                "InvokePermission" if own else f"InvokePermission{_short(self.record, organization.organization_id)}",
                action=INVOKE_FUNCTION,
                function_name=arn,
                principal=workmail_principal(self.record.region),
                source_arn=organization.organization_arn,
            )
        return permission

    def bucket_problems(self, options: MessageBucketOptions) -> list[str]:
        """Return why a rule that updates messages cannot ask for the function's bucket in this way.

        A function has one bucket, since its environment names one. So that no order of rules moves mail from one bucket
        to another, all its rules ask for the same. Only the rule that makes the function speaks for the others.
        """
        arn = self.unqualified_arn
        first = self if arn is None else _UPDATING.setdefault(self.record.app, {}).setdefault(arn, self)
        if first.bucket is None:
            return self._variable_problems(options)
        asked, asker = first.bucket.options, first.bucket.rule
        if not options.is_like(asked) and (options.given() or asker is not first.rule):
            problem = (
                f"message_bucket: found other arguments than at {asker.node.path}, which updates messages with the "
                "same function; a function has one bucket: give both rules the same message_bucket, message_key, "
                "removal policy and auto-delete, or give each a function of its own"
            )
            return [problem]
        if first is not self and options.bucket is None:
            problem = (
                f"function: found a second import of {arn}, for which {asker.node.path} made a bucket; a function has "
                "one bucket: import the function once for both rules, or give both the same message_bucket"
            )
            return [problem]
        return []

    def bucket_for(
        self, rule: Construct, options: MessageBucketOptions, organization: WorkMailOrganization
    ) -> AnyBucket:
        """Return the function's bucket for updated messages, which WorkMail may read for the organization (C5)."""
        if self.bucket is None:
            bucket = options.bucket or new_bucket(self.scope, options)
            self.bucket = FunctionBucket(bucket, options, rule)
        if options.bucket is not None:
            check_bucket(rule, options.bucket, record=self.record)
        let_workmail_read(self.bucket.bucket, organization=organization, record=self.record)
        return self.bucket.bucket

    def grant(self, rule: Construct, statements: Sequence[PolicyStatement]) -> None:
        """Give the function's role rights; where CDK cannot, a warning at `rule` has the statements to add."""
        role = self.grantee
        missing = [
            each for each in statements if role is None or not role.add_to_principal_policy(each).statement_added
        ]
        if missing:
            add_warning(
                rule,
                "WorkMailContentRights",
                found="a function whose role CDK does not know or cannot change",
                allowed="a role with the rights below; without them the function cannot do what the rule is for (C3)",
                remedy="add them where the role is defined, or import the function with its role "
                f"(Function.from_function_attributes): {shown_statements(self.record.stack, missing)}",
            )

    def name_bucket(self, rule: Construct, bucket: AnyBucket) -> None:
        """Give the function the name of the bucket for updated messages; a warning at `rule` if it is imported."""
        if self.made_here is not None:
            self.made_here.add_environment(MESSAGE_BUCKET_VARIABLE, bucket.bucket_name)
            return
        name = bucket.bucket_name
        shown = name if is_known(name) else "the bucket's name"
        add_warning(
            rule,
            "WorkMailMessageBucketVariable",
            found="an imported function, whose environment CDK cannot change",
            allowed=f"the environment variable {MESSAGE_BUCKET_VARIABLE} with the name of its bucket for messages",
            remedy=f"set {MESSAGE_BUCKET_VARIABLE} to {shown} where the function is defined, or give its code the "
            "bucket in another way",
        )

    def keep_failed_events(self, rule: Construct, named: AnyFunction) -> Queue | None:
        """Send the events that an asynchronous function fails on to the function's queue.

        A destination or dead-letter queue that is there already is left alone. A warning at `rule` says what to add to
        an imported function whose role is not known.

        Returns:
            The queue; None if the events go elsewhere.
        """
        if named in self._with_queue:
            return self.on_failure_queue
        made_here = self.made_here
        if made_here is not None and (made_here.dead_letter_queue or made_here.dead_letter_topic):
            return None
        config = named.node.try_find_child("EventInvokeConfig")
        if config is not None and "onFailure" in _destinations(config):
            return None
        role = self.grantee
        if role is None:
            add_warning(
                rule,
                "WorkMailOnFailure",
                found="an asynchronous rule with an imported function whose role is not known",
                allowed="an on-failure destination; without one, events that the function fails on are lost",
                remedy="import it with its role (Function.from_function_attributes), or give it a destination where "
                f'it is defined, and its role {{"Effect":"Allow","Action":"{_SEND_MESSAGE}","Resource":"QUEUE_ARN"}}',
            )
            return None
        if config is None:
            named.configure_async_invoke()
            config = named.node.find_child("EventInvokeConfig")
        queue = self.new_on_failure_queue()
        role.add_to_principal_policy(PolicyStatement(actions=[_SEND_MESSAGE], resources=[queue.queue_arn]))
        # An override, since CDK takes a destination only where the configuration is made, which somebody else may do.
        _resource_of(config).add_property_override("DestinationConfig.OnFailure.Destination", queue.queue_arn)
        self._with_queue.add(named)
        return queue

    def new_on_failure_queue(self) -> Queue:
        """Return the queue that keeps the events the function failed on for good: encrypted, TLS only."""
        if self.on_failure_queue is None:
            self.on_failure_queue = Queue(
                self.scope,
                "OnFailure",
                encryption=QueueEncryption.SQS_MANAGED,
                enforce_ssl=True,
                retention_period=_ON_FAILURE_RETENTION,
            )
        return self.on_failure_queue

    @property
    def grantee(self) -> IRole | None:
        """The function's role, so that rights on what is made here can be given to it; None if it is not known.

        A role of another stack is imported by its name: its rights are then part of the function's stack, and not of
        the role's, which would need this stack as much as this stack needs it.
        """
        if self._grantee is None and self.function is not None:
            role = self.function.role
            if isinstance(role, Role) and StackRecord.of(role) is not self.record:
                role = Role.from_role_name(self.scope, "RoleOfAnotherStack", role.role_name)
            self._grantee = role
        return self._grantee

    def check(self) -> None:
        """Report at synth what was done to the function after its rules were made."""
        made_here = self.made_here
        if made_here is None:
            return
        if self.synchronous_rules:
            # As the template has it, since an aspect may have changed it; Lambda's default is 3 seconds.
            seconds = cast("CfnFunction", made_here.node.default_child).timeout or 0
            for rule in self.synchronous_rules:
                guard_timeout(rule, seconds)
        if self.bucket is not None:
            resolve = self.record.stack.resolve
            found = resolve(self.environment().get(MESSAGE_BUCKET_VARIABLE))
            if found != resolve(self.bucket.bucket.bucket_name):
                add_problem(
                    made_here,
                    "WorkMailMessageBucketVariable",
                    found=f"another value of {MESSAGE_BUCKET_VARIABLE}, set after the rule",
                    allowed="the rule's own bucket: WorkMail may read no other one (C5)",
                    remedy="leave the variable to the rule, or give the rule the bucket as message_bucket",
                )
        if self._with_queue and self.rule is None:
            self._check_event_invoke_configs(made_here)

    def _variable_problems(self, options: MessageBucketOptions) -> list[str]:
        if self.made_here is None:
            return []
        resolve = self.record.stack.resolve
        found = resolve(self.environment().get(MESSAGE_BUCKET_VARIABLE))
        if found is None or (options.bucket is not None and found == resolve(options.bucket.bucket_name)):
            return []
        problem = (
            f"function: found {MESSAGE_BUCKET_VARIABLE} in the environment of {self.made_here.node.path}; the rule "
            "sets it to the bucket that WorkMail may read (C5): remove it, or give that bucket as message_bucket"
        )
        return [problem]

    def _check_event_invoke_configs(self, made_here: Function) -> None:
        """Report event-invoke configurations beside the ones that CDK makes: Lambda has one per function or alias."""
        resolve = self.record.stack.resolve
        known = {
            named.node.find_child("EventInvokeConfig").node.path: resolve(
                [_resource_of(named.node.find_child("EventInvokeConfig")).qualifier]
            )
            for named in self._with_queue
        }
        name = resolve(made_here.function_name)
        for each in self.record.stack.node.find_all():
            if (
                isinstance(each, CfnEventInvokeConfig)
                and each.node.scope is not None
                and each.node.scope.node.path not in known
                and resolve(each.function_name) == name
                and resolve([each.qualifier]) in known.values()
            ):
                add_problem(
                    each,
                    "WorkMailEventInvokeConfig",
                    found=f"a second event-invoke configuration of {made_here.node.path}, which a rule made one for",
                    allowed="one for each function, version or alias",
                    remedy="remove it, and set retry attempts and event age with the function's own arguments or "
                    "configure_async_invoke",
                )

    def _beside_of(self, named: AnyFunction) -> Construct:
        """Return the construct for what belongs to an existing function, version or alias."""
        beside = self._beside.get(named)
        if beside is None:
            if isinstance(named, Construct):
                beside = Construct(named, "WorkMail")
            else:  # imported versions and aliases can have no children
                around = cast("Construct", named.node.scope)
                beside = Construct(around, f"{named.node.id}WorkMail")
            self._beside[named] = beside
        return beside


_OF_APP: Final[WeakKeyDictionary[AppRecord, dict[AnyFunction, FunctionRecord]]] = WeakKeyDictionary()
_UPDATING: Final[WeakKeyDictionary[AppRecord, dict[str, FunctionRecord]]] = WeakKeyDictionary()
"""By ARN, each imported function that updates messages, as it was imported first."""


def _functions(record: StackRecord) -> dict[AnyFunction, FunctionRecord]:
    return _OF_APP.setdefault(record.app, {})


def _resource_of(config: Any) -> CfnEventInvokeConfig:
    return cast("CfnEventInvokeConfig", config.node.default_child)


def _destinations(config: Any) -> dict[str, Any]:
    resource = _resource_of(config)
    found: dict[str, Any] = StackRecord.of(config).stack.resolve(resource.destination_config) or {}
    return found


def _rendered(function: Function | None) -> dict[str, Any]:
    """Return a function's properties as its template will have them; CDK shows its environment in no other way."""
    if function is None:
        return {}
    inspector = TreeInspector()
    cast("CfnResource", function.node.default_child).inspect(inspector)  # type: ignore[attr-defined]
    inspected: dict[str, Any] = StackRecord.of(function).stack.resolve(inspector)
    properties: dict[str, Any] = inspected["attributes"]["aws:cdk:cloudformation:props"]
    return properties


def _short(record: StackRecord, organization_id: str) -> str:
    """Return a short name of an organization, the same whatever else a stack has."""
    text = organization_id
    if not is_known(text):
        text = json.dumps(record.stack.resolve(text), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8].upper()
