"""One function, several rules, in any stacks and any order: what belongs to the function stays in one place."""

from __future__ import annotations

from graphlib import TopologicalSorter
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, CfnParameter, Environment, NestedStack, RemovalPolicy, Stack, Stage
from aws_cdk.assertions import Template
from aws_cdk.aws_iam import Role, ServicePrincipal
from aws_cdk.aws_kms import Key
from aws_cdk.aws_lambda import Alias, Code, Function, Runtime, SingletonFunction
from aws_cdk.aws_s3 import Bucket

from tests.constructs.stacks import (
    ACCOUNT,
    HERE,
    ORGANIZATION_ID,
    errors_of,
    new_function,
    new_rule,
    new_stack,
    only,
    properties_of,
    rights_of,
    statements_of,
    warnings_of,
)
from workmail_constructs import ContentAccess, FlowDirection, Run, RunLambdaRule, WorkMailOrganization

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from constructs import Construct

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "reading": {"content_access": ContentAccess.READ},
    "updating": {"content_access": ContentAccess.UPDATE},
    "asynchronous": {"run": Run.asynchronous(), "content_access": ContentAccess.READ},
}
BELONGING = ("Lambda::Permission", "S3::Bucket", "S3::BucketPolicy", "SQS::Queue", "IAM::Policy")
VARIABLE = "WORKMAIL_MESSAGE_BUCKET"


def _siblings(app: App) -> tuple[Stack, Stack]:
    around = Stack(app, "Around", env=HERE)
    return NestedStack(around, "One"), NestedStack(around, "Two")


def _inside(app: App) -> tuple[Stack, Stack]:
    around = Stack(app, "Around", env=HERE)
    return around, NestedStack(around, "Inner")


def _deep(app: App) -> tuple[Stack, Stack]:
    other = Stack(app, "Other", env=HERE)
    return NestedStack(NestedStack(Stack(app, "Around", env=HERE), "Middle"), "Inner"), NestedStack(other, "Nested")


PLACES: dict[str, Callable[[App], tuple[Stack, Stack]]] = {
    "one stack": lambda app: (Stack(app, "Mail", env=HERE),) * 2,
    "two stacks": lambda app: (Stack(app, "Owner", env=HERE), Stack(app, "User", env=HERE)),
    "two stacks without environment": lambda app: (Stack(app, "Owner"), Stack(app, "User")),
    "rule in a nested stack": _inside,
    "function in a nested stack": lambda app: tuple(reversed(_inside(app))),  # type: ignore[return-value]
    "two nested stacks": _siblings,
    "nested stacks of two stacks": _deep,
}
"""Where the function is, and where the rule is."""


def references(value: object) -> Iterator[str]:
    """Yield the logical ids that a part of a template refers to."""
    if isinstance(value, list):
        for each in value:
            yield from references(each)
    if isinstance(value, dict):
        yield from (name for name in [value.get("Ref")] if isinstance(name, str))
        yield from (value["Fn::GetAtt"][0] for _ in value if "Fn::GetAtt" in value)
        for each in value.values():
            yield from references(each)


def assert_deployable(stack: Stack) -> None:
    """Require that a template has resources, and that CloudFormation can find an order of them."""
    resources = Template.from_stack(stack).to_json().get("Resources", {})
    graph = {
        name: {each for each in references(resource) if each in resources} | set(_listed(resource.get("DependsOn", [])))
        for name, resource in resources.items()
    }
    assert resources
    TopologicalSorter(graph).prepare()


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def resources_of(stack: Stack) -> Mapping[str, Any]:
    resources: Mapping[str, Any] = Template.from_stack(stack).to_json().get("Resources", {})
    return resources


@pytest.mark.parametrize("named", ["function", "alias", "version"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_every_combination_of_stacks_synthesizes_and_keeps_all_in_the_functions_stack(
    tmp_path: Path, place: str, kind: str, named: str
) -> None:
    app = App(outdir=str(tmp_path))
    of_function, of_rule = PLACES[place](app)
    function = new_function(of_function)
    version = function.current_version
    alias = Alias(of_function, "Live", alias_name="live", version=version)
    rule = new_rule(of_rule, function={"function": function, "alias": alias, "version": version}[named], **KINDS[kind])

    app.synth()
    assert Stack.of(rule.invoke_permission) is of_function
    kept = {f"AWS::{each}" for each in BELONGING}
    elsewhere = [each["Type"] for each in resources_of(of_rule).values() if of_rule is not of_function]
    assert kept.isdisjoint(elsewhere)
    stacks = [each for each in app.node.find_all() if isinstance(each, Stack)]
    for stack in stacks:
        assert_deployable(stack)
    assert [errors_of(each) for each in stacks if each.nested_stack_parent is None and errors_of(each)] == []


@pytest.mark.parametrize("order", list(permutations(("plain", "reading", "updating", "asynchronous"))))
def test_no_order_of_rules_moves_what_belongs_to_their_function(order: tuple[str, ...]) -> None:
    def build(kinds: tuple[str, ...]) -> Mapping[str, Any]:
        stack = new_stack()
        organization = WorkMailOrganization.from_organization_id(stack, "Organization", ORGANIZATION_ID)
        function = new_function(stack)
        for kind in kinds:
            new_rule(stack, kind, organization=organization, function=function, **KINDS[kind])
        return {name: resource["Type"] for name, resource in resources_of(stack).items()}

    whole = build(order)
    assert whole == build(tuple(sorted(KINDS)))
    without_first = build(order[1:])
    assert without_first.items() <= whole.items()


def test_rules_of_a_function_that_a_rule_makes_add_what_it_lacks_beside_it() -> None:
    stack = new_stack()
    maker = new_rule(stack, "Maker")
    new_rule(stack, "Updating", function=maker.function, organization=maker.organization, **KINDS["updating"])
    own = new_stack()
    new_rule(own, "Maker", **KINDS["updating"])

    buckets = [name for name, each in resources_of(stack).items() if each["Type"] == "AWS::S3::Bucket"]
    assert buckets == [name for name, each in resources_of(own).items() if each["Type"] == "AWS::S3::Bucket"]


def test_two_organizations_may_run_one_function() -> None:
    stack = new_stack()
    function = new_function(stack)
    rules = [
        new_rule(
            stack,
            f"Rule{digit}",
            function=function,
            organization=WorkMailOrganization.from_organization_id(stack, f"Org{digit}", "m-" + digit * 32),
            **KINDS["updating"],
        )
        for digit in "12"
    ]

    assert rules[0].message_bucket is rules[1].message_bucket
    assert len(properties_of(stack, "AWS::Lambda::Permission")) == 2
    allowed = [each for each in statements_of(stack, "AWS::S3::BucketPolicy") if each["Effect"] == "Allow"]
    assert len(allowed) == 2


def test_alias_and_function_share_the_bucket_and_each_has_its_permission() -> None:
    stack = new_stack()
    function = new_function(stack)
    alias = function.add_alias("live")
    organization = WorkMailOrganization.from_organization_id(stack, "Organization", ORGANIZATION_ID)
    rules = [
        new_rule(stack, f"Rule{index}", function=each, organization=organization, **KINDS["updating"])
        for index, each in enumerate((function, alias))
    ]

    only(stack, "AWS::S3::Bucket")
    assert rules[0].message_bucket is rules[1].message_bucket
    permitted = [each["FunctionName"] for each in properties_of(stack, "AWS::Lambda::Permission")]
    assert sorted(permitted, key=str) == [stack.resolve(function.function_arn), stack.resolve(alias.function_arn)]


def test_failed_events_of_an_alias_go_to_the_functions_queue() -> None:
    stack = new_stack()
    alias = new_function(stack).add_alias("live")
    rule = new_rule(stack, function=alias, **KINDS["asynchronous"])

    config = only(stack, "AWS::Lambda::EventInvokeConfig")
    assert rule.on_failure_queue is not None
    queue = stack.resolve(rule.on_failure_queue.queue_arn)
    assert config["DestinationConfig"] == {"OnFailure": {"Destination": queue}}
    assert config["Qualifier"] != "$LATEST"
    assert {"Action": "sqs:SendMessage", "Effect": "Allow", "Resource": queue} in rights_of(stack)


# What cannot be, with the way out.

OTHER_BUCKET = (
    r"message_bucket: found other arguments than at Mail/First, which updates messages with the same function"
)


@pytest.mark.parametrize(
    "different",
    [
        lambda stack: {"message_bucket": Bucket(stack, "Bucket")},
        lambda stack: {"message_key": Key(stack, "Key")},
        lambda stack: {"message_bucket_removal_policy": RemovalPolicy.DESTROY},
    ],
)
@pytest.mark.parametrize("first_is_different", [True, False])
def test_rules_of_one_function_ask_for_the_same_bucket(
    different: Callable[[Stack], dict[str, Any]], first_is_different: bool
) -> None:
    stack = new_stack()
    function = new_function(stack)
    arguments = [different(stack), {}]
    first, second = arguments if first_is_different else reversed(arguments)
    rule = new_rule(stack, "First", function=function, **KINDS["updating"], **first)

    with pytest.raises(ValueError, match=OTHER_BUCKET):
        new_rule(stack, "Second", function=function, organization=rule.organization, **KINDS["updating"], **second)
    assert stack.node.try_find_child("Second") is None


def test_rules_of_one_function_may_name_the_same_bucket_imported_twice() -> None:
    stack = new_stack()
    function = new_function(stack)
    rules = [
        new_rule(
            stack,
            f"Rule{index}",
            function=function,
            message_bucket=Bucket.from_bucket_name(stack, f"Bucket{index}", "updated-messages"),
            **KINDS["updating"],
        )
        for index in (1, 2)
    ]

    assert rules[0].message_bucket is rules[1].message_bucket


def test_a_rule_that_says_nothing_follows_the_rule_that_makes_the_function() -> None:
    stack = new_stack()
    maker = new_rule(stack, "Maker", message_key=Key(stack, "Key"), **KINDS["updating"])
    second = new_rule(stack, "Second", function=maker.function, organization=maker.organization, **KINDS["updating"])

    assert second.message_bucket is maker.message_bucket


def test_a_function_imported_twice_gets_no_second_bucket() -> None:
    stack = new_stack()
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:existing"
    imports = [Function.from_function_arn(stack, f"Import{index}", arn) for index in (1, 2)]
    first = new_rule(stack, "First", function=imports[0], **KINDS["updating"])

    with pytest.raises(ValueError, match=r"found a second import of arn:.*:existing, for which Mail/First made"):
        new_rule(stack, "Second", function=imports[1], organization=first.organization, **KINDS["updating"])


@pytest.mark.parametrize("argument", ["message_bucket", "message_key"])
@pytest.mark.parametrize("place", ["two stacks", "rule in a nested stack", "two nested stacks"])
def test_a_bucket_that_would_need_the_function_is_refused(tmp_path: Path, place: str, argument: str) -> None:
    of_function, of_rule = PLACES[place](App(outdir=str(tmp_path)))
    needed = {"message_bucket": Bucket, "message_key": Key}[argument](of_rule, "Needed")

    with pytest.raises(ValueError, match=rf"{argument}: found .*/Needed in stack .* make it in") as caught:
        new_rule(of_rule, function=new_function(of_function), **{argument: needed}, **KINDS["updating"])
    assert of_function.node.path in str(caught.value)


def test_a_bucket_of_a_third_stack_is_taken(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    of_bucket, of_function, of_rule = (Stack(app, name, env=HERE) for name in ("Buckets", "Functions", "Rules"))
    new_rule(
        of_rule, function=new_function(of_function), message_bucket=Bucket(of_bucket, "Bucket"), **KINDS["updating"]
    )

    app.synth()
    assert errors_of(of_rule) == []


def test_an_organization_that_only_the_rules_stack_knows_is_refused(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    of_function, of_rule = Stack(app, "Owner", env=HERE), Stack(app, "User", env=HERE)
    parameter = CfnParameter(of_rule, "OrganizationId")
    organization = WorkMailOrganization.from_organization_id(of_rule, "Organization", parameter.value_as_string)

    with pytest.raises(ValueError, match=r"organization: found an id that only stack User knows, .* function in stack"):
        new_rule(of_rule, function=new_function(of_function), organization=organization)


def test_an_organization_that_the_functions_stack_knows_is_taken(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    of_function, of_rule = Stack(app, "Owner", env=HERE), Stack(app, "User", env=HERE)
    parameter = CfnParameter(of_function, "OrganizationId")
    organization = WorkMailOrganization.from_organization_id(of_function, "Organization", parameter.value_as_string)
    new_rule(of_rule, function=new_function(of_function), organization=organization, **KINDS["updating"])

    app.synth()


def test_a_function_of_another_stage_is_refused(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    first, second = (Stack(Stage(app, name, env=HERE), "Mail") for name in ("First", "Second"))

    with pytest.raises(ValueError, match=r"function: found .* in stack First/Mail, in another stage .* import"):
        new_rule(second, function=new_function(first))


def test_a_role_of_another_stack_gets_its_rights_in_the_functions_stack(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    of_role, of_function = Stack(app, "Roles", env=HERE), Stack(app, "Mail", env=HERE)
    role = Role(of_role, "Role", assumed_by=ServicePrincipal("lambda.amazonaws.com"))
    new_rule(of_function, "Made", role=role, **KINDS["updating"])
    new_rule(of_function, "Given", function=new_function(of_function, role=role), **KINDS["asynchronous"])

    app.synth()
    assert properties_of(of_role, "AWS::IAM::Policy") == []
    actions = {str(each["Action"]) for each in statements_of(of_function)}
    assert {"s3:PutObject", "sqs:SendMessage", "['logs:CreateLogStream', 'logs:PutLogEvents']"} <= actions


@pytest.mark.parametrize("value", ["mine", {"Ref": "Other"}])
def test_a_bucket_variable_of_the_users_own_is_refused(value: Any) -> None:
    stack = new_stack()
    function = new_function(stack, environment={VARIABLE: str(value)})

    with pytest.raises(ValueError, match=rf"function: found {VARIABLE} in the environment of Mail/Existing"):
        new_rule(stack, function=function, **KINDS["updating"])


def test_a_bucket_variable_that_names_the_rules_bucket_is_right() -> None:
    stack = new_stack()
    bucket = Bucket(stack, "Bucket")
    function = new_function(stack, environment={VARIABLE: bucket.bucket_name})
    new_rule(stack, function=function, message_bucket=bucket, **KINDS["updating"])

    assert errors_of(stack) == []


@pytest.mark.parametrize("made_here", [True, False])
def test_a_bucket_variable_that_is_changed_after_the_rule_is_an_error(made_here: bool) -> None:
    stack = new_stack()
    given = {} if made_here else {"function": new_function(stack)}
    rule = new_rule(stack, **given, **KINDS["updating"])
    rule.function.add_environment(VARIABLE, "mine")

    ((path, text),) = errors_of(stack)
    assert path == f"/{rule.function.node.path}"
    assert f"another value of {VARIABLE}, set after the rule" in text


@pytest.mark.parametrize(
    "configure",
    [
        lambda stack: new_function(stack, retry_attempts=0),
        lambda stack: _configured(new_function(stack), max_event_age=None, retry_attempts=1),
    ],
)
def test_an_event_invoke_configuration_without_destination_gets_the_queue(
    configure: Callable[[Construct], Function],
) -> None:
    stack = new_stack()
    rule = new_rule(stack, function=configure(stack), **KINDS["asynchronous"])

    config = only(stack, "AWS::Lambda::EventInvokeConfig")
    assert rule.on_failure_queue is not None
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == stack.resolve(rule.on_failure_queue.queue_arn)
    assert "MaximumRetryAttempts" in config


def _configured(function: Function, **options: Any) -> Function:
    function.configure_async_invoke(**options)
    return function


def test_a_second_event_invoke_configuration_is_an_error() -> None:
    from aws_cdk.aws_lambda import EventInvokeConfig

    stack = new_stack()
    function = new_function(stack)
    new_rule(stack, function=function, **KINDS["asynchronous"])
    EventInvokeConfig(stack, "Another", function=function, retry_attempts=0)

    ((path, text),) = errors_of(stack)
    assert path == "/Mail/Another/Resource"
    assert "a second event-invoke configuration of Mail/Existing" in text


def test_a_singleton_function_is_refused() -> None:
    stack = new_stack()
    singleton = SingletonFunction(
        stack, "Shared", uuid="u", runtime=Runtime.NODEJS_22_X, handler="index.handler", code=Code.from_inline("x")
    )

    with pytest.raises(ValueError, match=r"function: found the SingletonFunction Mail/Shared.* give a Function"):
        new_rule(stack, function=singleton)


def test_a_rule_in_place_of_its_function_is_refused() -> None:
    stack = new_stack()
    rule = new_rule(stack, "First")

    with pytest.raises(ValueError, match=r"function: found a RunLambdaRule; give its function: rule.function"):
        RunLambdaRule(
            stack,
            "Second",
            organization=rule.organization,
            direction=FlowDirection.INBOUND,
            run=Run.asynchronous(),
            function=rule,  # type: ignore[type-var]
        )


def test_a_version_is_warned_about_since_its_arn_does_not_last() -> None:
    stack = new_stack()
    new_rule(stack, function=new_function(stack).current_version)

    ((path, text),) = warnings_of(stack)
    assert path == "/Mail/Rule"
    assert "found the version Mail/Existing/CurrentVersion, whose ARN changes with the function's code" in text
    assert "give an alias of the version" in text


@pytest.mark.fact("C5")
@pytest.mark.parametrize(
    ("env", "what"),
    [
        (Environment(region="us-east-1", account=ACCOUNT), "Region us-east-1"),
        (Environment(region="eu-west-1", account="444455556666"), "account 444455556666"),
    ],
)
def test_a_bucket_of_another_region_or_account_is_an_error(tmp_path: Path, env: Environment, what: str) -> None:
    app = App(outdir=str(tmp_path))
    elsewhere = Bucket.from_bucket_attributes(
        Stack(app, "Elsewhere", env=env), "Bucket", bucket_name="messages", region=env.region, account=env.account
    )
    stack = Stack(app, "Mail", env=HERE)
    new_rule(stack, message_bucket=elsewhere, **KINDS["updating"])

    ((path, text),) = errors_of(stack)
    assert path == "/Mail/Rule"
    assert f"the bucket Elsewhere/Bucket for updated messages of {what}" in text
    assert "(C5)" in text
