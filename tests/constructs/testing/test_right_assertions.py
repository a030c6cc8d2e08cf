"""The assertions that users write: each holds for a right template, and names what is wrong with a damaged one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, CfnParameter, Environment, NestedStack, Stack
from aws_cdk.assertions import Template
from aws_cdk.aws_iam import ManagedPolicy, PolicyDocument, PolicyStatement, Role, ServicePrincipal
from aws_cdk.aws_kms import Key
from aws_cdk.aws_lambda import Alias, Function
from aws_cdk.aws_s3 import Bucket

from tests.constructs.stacks import (
    HERE,
    MESSAGES_ARN,
    ORGANIZATION_ARN,
    ORGANIZATION_ID,
    new_function,
    new_rule,
    new_stack,
)
from workmail_constructs import ContentAccess, FlowDirection, RunLambdaRule, WorkMailOrganization
from workmail_constructs.testing import (
    assert_function_may_read_content,
    assert_function_may_update_content,
    assert_workmail_can_invoke,
    assert_workmail_can_read,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AGNOSTIC_ARN = "arn:aws:workmail:${AWS::Region}:${AWS::AccountId}:organization/" + ORGANIZATION_ID
INBOUND, OUTBOUND = FlowDirection.INBOUND, FlowDirection.OUTBOUND


def update_rule(stack: Stack, **arguments: Any) -> RunLambdaRule:
    return new_rule(stack, content_access=ContentAccess.UPDATE, **arguments)


def id_of(template: Mapping[str, Any], resource_type: str) -> str:
    (found,) = (str(name) for name, each in template["Resources"].items() if each["Type"] == resource_type)
    return found


def damaged(resource_type: str, damage: Callable[[dict[str, Any]], object], **arguments: Any) -> dict[str, Any]:
    """Return the template of an UPDATE rule, with the properties of its one resource of a type changed by hand."""
    stack = new_stack()
    update_rule(stack, **arguments)
    template = dict(Template.from_stack(stack).to_json())
    damage(template["Resources"][id_of(template, resource_type)]["Properties"])
    return template


def statement_of(action: str, document: str = "PolicyDocument") -> Callable[[dict[str, Any]], dict[str, Any]]:
    def find(properties: dict[str, Any]) -> dict[str, Any]:
        statements: list[dict[str, Any]] = properties[document]["Statement"]
        (found,) = (each for each in statements if action in each["Action"] and each["Effect"] == "Allow")
        return found

    return find


@pytest.mark.fact("L4", "C3", "C5")
@pytest.mark.parametrize("env", [HERE, None, Environment(region="eu-west-1")])
@pytest.mark.parametrize("direction", FlowDirection)
def test_all_hold_for_a_rule(env: Environment | None, direction: FlowDirection) -> None:
    stack = new_stack(env)
    rule = update_rule(stack, direction=direction)
    for template in (stack, Template.from_stack(stack), Template.from_stack(stack).to_json()):
        assert_workmail_can_invoke(template, rule)
        assert_workmail_can_read(template, rule)
        assert_function_may_read_content(template, rule)
        assert_function_may_update_content(template, rule)


def test_names_do_for_a_template_without_constructs() -> None:
    stack = new_stack(env=None)
    rule = update_rule(stack)
    assert rule.message_bucket is not None
    template = Template.from_stack(stack).to_json()
    function, bucket = id_of(template, "AWS::Lambda::Function"), id_of(template, "AWS::S3::Bucket")

    assert_workmail_can_invoke(template, function, organization=AGNOSTIC_ARN)
    assert_workmail_can_invoke(stack, rule.function, organization=rule.organization)
    assert_workmail_can_read(template, bucket, organization=AGNOSTIC_ARN)
    assert_workmail_can_read(stack, rule.message_bucket, organization=rule.organization)
    assert_function_may_update_content(template, function, organization=AGNOSTIC_ARN, direction=INBOUND)


def test_they_hold_for_aliases_nested_stacks_parameters_and_organizations_by_arn() -> None:
    stack = new_stack(env=None)
    alias = Alias(stack, "Live", alias_name="live", version=new_function(stack).current_version)
    by_arn = WorkMailOrganization.from_organization_arn(stack, "ByArn", ORGANIZATION_ARN)
    of_alias = new_rule(stack, "OfAlias", function=alias, content_access=ContentAccess.READ, organization=by_arn)
    parameter = WorkMailOrganization.from_organization_arn(
        stack, "OfParameter", CfnParameter(stack, "OrganizationArn").value_as_string
    )
    of_parameter = update_rule(stack, organization=parameter)
    nested = NestedStack(stack, "Nested")
    in_nested = new_rule(nested, "InNested", content_access=ContentAccess.READ)

    assert_workmail_can_invoke(stack, of_alias)
    assert_function_may_read_content(stack, of_alias)
    assert_workmail_can_invoke(stack, of_parameter)
    assert_workmail_can_read(stack, of_parameter)
    assert_function_may_update_content(stack, of_parameter)
    assert_workmail_can_invoke(nested, in_nested)
    assert_function_may_read_content(nested, in_nested)


def test_a_permission_on_the_function_is_not_one_on_its_alias() -> None:
    stack = new_stack()
    function = new_function(stack)
    alias = Alias(stack, "Live", alias_name="live", version=function.current_version)
    rule = new_rule(stack, function=function)

    with pytest.raises(AssertionError, match=r"the permission is on .*, which is another one"):
        assert_workmail_can_invoke(stack, alias, organization=rule.organization)


def test_the_permission_may_be_in_the_stack_that_imports_the_function() -> None:
    app = App()
    function = new_function(Stack(app, "Functions", env=HERE))
    mail = Stack(app, "Mail", env=HERE)
    rule = new_rule(
        mail, function=Function.from_function_arn(mail, "Imported", "arn:aws:lambda:eu-west-1:1:function:x")
    )

    assert_workmail_can_invoke(mail, rule)
    with pytest.raises(AssertionError, match="WorkMail cannot invoke"):
        assert_workmail_can_invoke(mail, function, organization=rule.organization)


@pytest.mark.fact("L4")
@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda made: made.clear(), "WorkMail cannot invoke .*\n  found: the function policy of .* has no statement"),
        (lambda made: made.update(Action="lambda:*Url"), r"found: .*InvokePermission\w+: its Action is lambda:\*Url"),
        (lambda made: made.update(Principal="workmail.amazonaws.com"), "its Principal is Service workmail.amazonaws"),
        (lambda made: made.update(Principal="workmail.us-east-1.amazonaws.com"), "Service workmail.us-east-1"),
        (lambda made: made.update(SourceArn=ORGANIZATION_ARN[:-1] + "0"), "found: .*aws:SourceArn"),
        (lambda made: made.update(SourceArn=ORGANIZATION_ARN[:-32] + "*"), "other organizations can invoke"),
        (lambda made: made.update(SourceArn=ORGANIZATION_ARN[:-1] + "*"), "other organizations can invoke"),
        (lambda made: made.pop("SourceArn"), "other organizations can invoke"),
        (lambda made: made.update(SourceAccount="999999999999"), "found: .*aws:SourceAccount"),
        (lambda made: made.update(EventSourceToken="t"), "found: .*lambda:EventSourceToken"),
        (lambda made: made.update(FunctionName="Other"), "has no statement"),
    ],
)
def test_what_keeps_workmail_from_invoking_is_named(damage: Callable[[dict[str, Any]], object], found: str) -> None:
    template = damaged("AWS::Lambda::Permission", damage)
    function = id_of(template, "AWS::Lambda::Function")

    with pytest.raises(AssertionError, match=found) as failure:
        assert_workmail_can_invoke(template, function, organization=ORGANIZATION_ARN)
    assert "needed: an AWS::Lambda::Permission for it with Action lambda:InvokeFunction" in str(failure.value)
    assert "Principal workmail.eu-west-1.amazonaws.com" in str(failure.value)
    assert "what to do: declare the rule with RunLambdaRule" in str(failure.value)


READS = statement_of("s3:GetObject")


@pytest.mark.fact("C5")
@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda made: READS(made).update(Action="s3:GetObject"), "WorkMail cannot read bucket"),
        (lambda made: READS(made).update(Action="s3:GetObjectVersion"), "WorkMail cannot read bucket"),
        (lambda made: READS(made).update(Resource="arn:aws:s3:::other/*"), "its Resource is arn:aws:s3:::other"),
        (lambda made: READS(made).update(Principal={"Service": "lambda.amazonaws.com"}), "Service lambda"),
        (lambda made: made["PolicyDocument"]["Statement"].clear(), "WorkMail cannot read bucket"),
        (lambda made: made.update(Bucket="other"), "WorkMail cannot read bucket"),
        (
            lambda made: READS(made)["Condition"]["ArnLike"].update({"aws:SourceArn": f"{MESSAGES_ARN}/incoming/*"}),
            "WorkMail cannot read bucket",
        ),
        (lambda made: READS(made)["Condition"].pop("ArnLike"), "other organizations: aws:SourceArn does not"),
        (lambda made: READS(made)["Condition"].pop("StringEquals"), "other accounts: aws:SourceAccount does not"),
        (
            lambda made: made["PolicyDocument"].update(
                Statement=[{**READS(made), "Condition": {**READS(made)["Condition"], "Bool": {"aws:x": "false"}}}]
            ),
            "WorkMail cannot read bucket",
        ),
        (
            lambda made: (
                READS(made)["Condition"].pop("Bool"),
                made["PolicyDocument"].update(Statement=[READS(made)]),
            ),
            "requests without TLS: aws:SecureTransport does not",
        ),
    ],
)
def test_what_is_wrong_with_a_bucket_policy_is_named(damage: Callable[[dict[str, Any]], object], found: str) -> None:
    template = damaged("AWS::S3::BucketPolicy", damage)

    with pytest.raises(AssertionError, match=found) as failure:
        assert_workmail_can_read(template, id_of(template, "AWS::S3::Bucket"), organization=ORGANIZATION_ARN)
    assert "needed: a bucket policy that allows workmail.eu-west-1.amazonaws.com s3:GetObject" in str(failure.value)


@pytest.mark.fact("C5")
def test_a_denial_of_requests_without_tls_does_for_the_condition() -> None:
    template = damaged("AWS::S3::BucketPolicy", lambda made: READS(made)["Condition"].pop("Bool"))
    assert_workmail_can_read(template, id_of(template, "AWS::S3::Bucket"), organization=ORGANIZATION_ARN)


def test_a_key_must_let_workmail_decrypt() -> None:
    stack = new_stack()
    rule = update_rule(stack, message_key=Key(stack, "Key"))
    assert_workmail_can_read(stack, rule)

    template = Template.from_stack(stack).to_json()
    key = template["Resources"][id_of(template, "AWS::KMS::Key")]["Properties"]
    statement_of("kms:Decrypt", "KeyPolicy")(key)["Action"] = "kms:Encrypt"
    with pytest.raises(AssertionError, match=r"cannot decrypt what it reads(.|\n)*needed: a key policy of arn"):
        assert_workmail_can_read(template, rule)


GETS = statement_of("workmailmessageflow:GetRawMessageContent")
PUTS = statement_of("s3:PutObject")


@pytest.mark.fact("C3")
@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (lambda made: GETS(made).update(Action="workmailmessageflow:PutRawMessageContent"), "may not do .*:GetRaw"),
        (lambda made: GETS(made).update(Resource=f"{MESSAGES_ARN}/outgoing/*"), "found: .*outgoing/\\*, not"),
        (lambda made: GETS(made).update(Resource=MESSAGES_ARN.replace("eu-west-1", "us-east-1") + "/*"), "may not do"),
        (lambda made: GETS(made).update(Resource="*"), "on the messages of other organizations"),
        (lambda made: GETS(made).update(Effect="Deny"), "explicitly denied by"),
        (lambda made: made.update(Roles=[]), "may not do"),
    ],
)
def test_what_keeps_a_function_from_content_is_named(damage: Callable[[dict[str, Any]], object], found: str) -> None:
    template = damaged("AWS::IAM::Policy", damage)
    function = id_of(template, "AWS::Lambda::Function")

    with pytest.raises(AssertionError, match=found) as failure:
        assert_function_may_read_content(template, function, organization=ORGANIZATION_ARN, direction=INBOUND)
    assert f"needed: a statement that allows workmailmessageflow:GetRawMessageContent on {MESSAGES_ARN}/inc" in str(
        failure.value
    )


@pytest.mark.fact("C3")
def test_reading_is_not_updating_and_one_direction_is_not_the_other() -> None:
    stack = new_stack()
    rule, without = new_rule(stack, content_access=ContentAccess.READ), new_rule(stack, "Without")

    with pytest.raises(AssertionError, match="may not do workmailmessageflow:PutRawMessageContent"):
        assert_function_may_update_content(stack, rule)
    with pytest.raises(AssertionError, match=r"incoming(.|\n)*needed: .*outgoing"):
        assert_function_may_read_content(stack, rule, direction=OUTBOUND)
    with pytest.raises(AssertionError, match="may not do workmailmessageflow:GetRawMessageContent"):
        assert_function_may_read_content(stack, without)


def test_updating_includes_the_right_to_put_into_the_bucket() -> None:
    stack = new_stack()
    rule = update_rule(stack)
    template = Template.from_stack(stack).to_json()
    PUTS(template["Resources"][id_of(template, "AWS::IAM::Policy")]["Properties"])["Action"] = "s3:GetObject"

    with pytest.raises(AssertionError, match="may not do s3:PutObject"):
        assert_function_may_update_content(template, rule)


def test_rights_count_wherever_they_are_attached() -> None:
    stack = new_stack()
    rights = PolicyStatement(
        actions=["workmailmessageflow:GetRawMessageContent"], resources=[f"{MESSAGES_ARN}/incoming/*"]
    )
    role = Role(
        stack,
        "Inline",
        assumed_by=ServicePrincipal("lambda.amazonaws.com"),
        inline_policies={"Content": PolicyDocument(statements=[rights])},
    )
    inline = new_function(stack, "InlineFunction", role=role)
    managed = new_function(stack, "ManagedFunction")
    assert managed.role is not None
    managed.role.add_managed_policy(ManagedPolicy(stack, "Managed", statements=[rights]))

    assert_function_may_read_content(stack, inline, organization=ORGANIZATION_ARN, direction=INBOUND)
    assert_function_may_read_content(stack, managed, organization=ORGANIZATION_ARN, direction=INBOUND)


def test_a_named_bucket_is_found_by_its_name() -> None:
    stack = new_stack()
    rule = update_rule(stack, message_bucket=Bucket(stack, "Bucket", bucket_name="updated", enforce_ssl=True))

    assert_workmail_can_read(stack, "updated", organization=rule.organization)
    assert_function_may_update_content(stack, rule)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (lambda it: assert_workmail_can_invoke(it, "Nothing", organization=ORGANIZATION_ARN), "which has RuleFunction"),
        (lambda it: assert_workmail_can_invoke(it, "RuleFunction03D08227"), "organization: found none; give a WorkM"),
        (
            lambda it: assert_workmail_can_invoke(it, "x", organization=ORGANIZATION_ID),
            "organization: found 'm-.*give a WorkMailOrganization or an ARN such as",
        ),
        (lambda it: assert_workmail_can_read(it, "Nothing", organization=ORGANIZATION_ARN), "which has no bucket"),
        (
            lambda it: assert_function_may_read_content(it, "RuleFunction03D08227", organization=ORGANIZATION_ARN),
            "direction: found none",
        ),
        (
            lambda it: assert_function_may_read_content(
                it, "arn:aws:lambda:eu-west-1:1:function:x", organization=ORGANIZATION_ARN, direction=INBOUND
            ),
            "give the template of the stack that makes it",
        ),
    ],
)
def test_a_question_that_cannot_be_answered_is_an_error(question: Callable[[Stack], None], message: str) -> None:
    stack = new_stack()
    new_rule(stack)
    with pytest.raises(ValueError, match=message):
        question(stack)


def test_a_rule_without_a_bucket_has_nothing_to_read() -> None:
    stack = new_stack()
    rule = new_rule(stack)
    with pytest.raises(ValueError, match="bucket: found the rule Mail/Rule, which has none"):
        assert_workmail_can_read(stack, rule)


@pytest.mark.parametrize("reference", ["strong", "weak"])
def test_the_organization_may_be_looked_up_in_another_stack(reference: str) -> None:
    app = App(context={"@aws-cdk/core:defaultCrossStackReferences": reference})
    shared, mail = Stack(app, "Shared", env=HERE), Stack(app, "Mail", env=HERE)
    rule = update_rule(mail, organization=WorkMailOrganization.from_alias(shared, "Organization", "acme"))

    assert_workmail_can_invoke(mail, rule)
    assert_workmail_can_read(mail, rule)
    assert_function_may_update_content(mail, rule)
