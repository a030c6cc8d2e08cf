"""The declared rules of stacks: kept in templates, linted over the whole app, read back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import Annotations as CdkAnnotations
from aws_cdk import App, CfnParameter, Environment, NestedStack, Stack, Stage
from aws_cdk.assertions import Annotations, Match, Template
from aws_cdk.aws_lambda import Function
from constructs import Construct

from tests.constructs.stacks import ORGANIZATION_ID, SYNCHRONOUS, new_function
from workmail_constructs import (
    EmailFlowRules,
    FlowDirection,
    RunLambdaRule,
    WorkMailOrganization,
)
from workmail_constructs.declared_rules import from_cloud_assembly
from workmail_flow.rule_problems import RuleError
from workmail_flow.runbook import runbook
from workmail_flow.stack_output import StackOutput
from workmail_flow.vocabulary import RuleAction

OTHER_ORGANIZATION_ID = "m-fedcba9876543210fedcba9876543210"


def organization(scope: Construct, organization_id: str = ORGANIZATION_ID) -> WorkMailOrganization:
    return WorkMailOrganization.from_organization_id(
        scope, f"Organization{organization_id[-4:]}", organization_id, domains=["example.com"]
    )


def lambda_rule(scope: Construct, id: str, of: WorkMailOrganization, **options: Any) -> RunLambdaRule:  # noqa: A002
    if "function" not in options:
        options["function"] = new_function(scope, f"{id}Function")
    return RunLambdaRule(scope, id, organization=of, direction=FlowDirection.INBOUND, run=SYNCHRONOUS, **options)


def metadata(stack: Stack) -> dict[str, Any]:
    declared: dict[str, Any] = Template.from_stack(stack).to_json()["Metadata"]["WorkMailEmailFlow"]
    return declared


def codes(stack: Stack) -> list[str]:
    """Return the codes of the findings at a stack, which their messages end with."""
    found = Annotations.from_stack(stack)
    messages = [
        *found.find_error("*", Match.any_value()),
        *found.find_warning("*", Match.string_like_regexp("workmail-constructs")),
    ]
    return [
        str(message.entry.data).rpartition(" ")[2].rstrip("]").rpartition(":")[2].lstrip("[") for message in messages
    ]


@pytest.mark.fact("F1", "F2", "F3", "F11")
def test_plain_rules_are_declared_in_one_call_each() -> None:
    stack = Stack()
    of = organization(stack)
    rules = EmailFlowRules.of(stack)
    inbound, outbound = FlowDirection.INBOUND, FlowDirection.OUTBOUND

    rules.drop("Drop", organization=of, direction=inbound, senders=["a.example"], destinations=["*"])
    rules.bounce("Bounce", organization=of, direction=outbound, senders=["b.example"], destinations=["*"])
    rules.default("Default", organization=of, direction=inbound, senders=["c@a.example"], destinations=["*"])
    rules.move_to_junk("Junk", organization=of, senders=["d.example"], destinations=["*"])
    rules.bypass_spam_check("Bypass", organization=of, senders=["e.example"], destinations=["*"])
    rules.route_to_smtp_gateway("Gateway", organization=of, gateway="Relay", senders=["*"], destinations=["f.example"])

    declared = rules.rule_set(of)
    assert [(rule.name, rule.direction, rule.action) for rule in declared] == [
        ("Drop", inbound, RuleAction.DROP),
        ("Bounce", outbound, RuleAction.BOUNCE),
        ("Default", inbound, RuleAction.DEFAULT),
        ("Junk", inbound, RuleAction.MOVE_TO_JUNK),
        ("Bypass", inbound, RuleAction.BYPASS_SPAM_CHECK),
        ("Gateway", outbound, RuleAction.ROUTE_TO_SMTP_GATEWAY),
    ]
    decision = declared.decide(direction=inbound, sender=None, from_="c@a.example", recipient="x@example.com")
    assert decision.rule is not None
    assert decision.rule.name == "Default"


@pytest.mark.fact("F5")
def test_a_rule_that_workmail_would_not_take_raises_at_once() -> None:
    stack = Stack()

    with pytest.raises(RuleError, match=r"senders\[1\]"):
        EmailFlowRules.of(stack).drop(
            "Spam",
            organization=organization(stack),
            direction=FlowDirection.INBOUND,
            senders=["spam.example", "a+b@spam.example"],
            destinations=["*"],
        )


def test_patterns_given_as_a_string_are_refused() -> None:
    stack = Stack()

    with pytest.raises(TypeError, match=r"senders: found the string 'spam.example'; give a list of patterns"):
        EmailFlowRules.of(stack).move_to_junk(
            "Spam", organization=organization(stack), senders="spam.example", destinations=["*"]
        )


def test_the_template_keeps_the_rules_of_each_organization(snapshot: Any) -> None:
    stack = Stack()
    one, other = organization(stack), organization(stack, OTHER_ORGANIZATION_ID)
    lambda_rule(stack, "Disclaimer", one, senders=["example.com"])
    EmailFlowRules.of(stack).move_to_junk("Newsletters", organization=other, senders=["n.example"], destinations=["*"])

    assert metadata(stack) == snapshot
    assert metadata(stack) == metadata(stack)


def test_each_stack_has_one_set_of_rules() -> None:
    stack = Stack()

    assert EmailFlowRules.of(Construct(stack, "Inner")) is EmailFlowRules.of(stack)
    assert EmailFlowRules.of(Stack()) is not EmailFlowRules.of(stack)


@pytest.mark.fact("F1")
def test_an_organization_is_linted_over_all_stacks_of_the_app() -> None:
    app = App()
    stacks = [Stack(app, "One"), Stack(Stage(app, "Production"), "Two"), Stack(app, "Elsewhere")]
    ids = [ORGANIZATION_ID, ORGANIZATION_ID, OTHER_ORGANIZATION_ID]
    for stack, organization_id in zip(stacks, ids, strict=True):
        EmailFlowRules.of(stack).move_to_junk(
            "Newsletters",
            organization=organization(stack, organization_id),
            senders=[f"{stack.node.id}.example"],
            destinations=["*"],
        )

    assert [codes(stack) for stack in stacks] == [["duplicate-name"], ["duplicate-name"], []]


@pytest.mark.fact("F1")
def test_rules_of_one_name_in_many_stacks_are_one_error_at_each_with_some_of_their_places() -> None:
    app = App()
    stacks = [Stack(app, f"Stack{number:02}") for number in range(15)]
    for stack in stacks:
        of = organization(stack)
        EmailFlowRules.of(stack).move_to_junk("Junk", organization=of, senders=["*"], destinations=["*"])

    for stack in stacks[0], stacks[-1]:
        assert codes(stack) == ["duplicate-name"]
        (error,) = Annotations.from_stack(stack).find_error("*", Match.any_value())
        text = str(error.entry.data)
        assert text.startswith("15 rules have the name 'Junk'; a name is unique in an organization (F1). Give each its")
        assert "Declared at Stack00, Stack01, " in text
        assert "Stack09 and 5 more places. [duplicate-name]" in text


def test_a_stage_that_is_written_early_is_checked_with_the_rules_that_come_later() -> None:
    app = App()
    stages = [Stage(app, name) for name in ("Test", "Production")]
    for stage in stages:
        stack = Stack(stage, "Mail")
        EmailFlowRules.of(stack).move_to_junk(
            "Newsletters", organization=organization(stack), senders=[f"{stage.node.id}.example"], destinations=["*"]
        )
        stage.synth()  # as a pipeline does when the stage is added

    assembly = app.synth()

    written = [assembly.get_nested_assembly(stage.artifact_id) for stage in stages]
    messages = [str(message.entry.data) for each in written for stack in each.stacks for message in stack.messages]
    assert len(messages) == 2
    assert all("2 rules have the name 'Newsletters'" in message for message in messages)
    test, production = (next(Path(each.directory).glob("*.email-flow-rules.md")).read_text() for each in written)
    assert test == production


@pytest.mark.fact("F6")
def test_quotas_are_those_of_the_organization() -> None:
    app = App()
    stacks = [Stack(app, "One"), Stack(app, "Two")]
    for stack in stacks:
        of = organization(stack)
        for part in range(3):
            EmailFlowRules.of(stack).move_to_junk(
                f"{stack.node.id}{part}",
                organization=of,
                senders=[f"{stack.node.id}-{part}-{n}.example" for n in range(170)],
                destinations=["*"],
            )

    assert [codes(stack) for stack in stacks] == [["organization-quota"], ["organization-quota"]]


def drop_and_exception(stack: Stack, *, of: WorkMailOrganization | None = None, **options: Any) -> None:
    of = of or organization(stack)
    EmailFlowRules.of(stack).drop(
        "Spam",
        organization=of,
        direction=FlowDirection.INBOUND,
        senders=["*.spam.example"],
        destinations=["*"],
        **options,
    )
    EmailFlowRules.of(stack).move_to_junk(
        "Newsletters", organization=of, senders=["news.spam.example"], destinations=["*"]
    )


def test_a_finding_is_a_warning_at_the_stack_with_remedy_and_place() -> None:
    stack = Stack(App(), "Mail")
    drop_and_exception(stack)

    (warning,) = Annotations.from_stack(stack).find_warning("/Mail", Match.any_value())
    assert "'Spam'" in str(warning.entry.data)
    assert "Declared at Mail. [ack: workmail-constructs:overlaps-drop]" in str(warning.entry.data)


def test_a_finding_is_acknowledged_where_the_rule_is_declared() -> None:
    stack = Stack()
    drop_and_exception(stack, acknowledge={"overlaps-drop": "newsletters are wanted"})

    assert codes(stack) == []


def test_a_finding_is_acknowledged_like_any_warning_of_cdk() -> None:
    stack = Stack()
    CdkAnnotations.of(stack).acknowledge_warning("workmail-constructs:overlaps-drop", "newsletters are wanted")
    drop_and_exception(stack)

    assert codes(stack) == []


def test_a_cloud_assembly_gives_the_rules_it_declares() -> None:
    app = App()
    mail = Stack(app, "Mail")
    shared = new_function(mail)
    lambda_rule(mail, "Disclaimer", organization(mail), function=shared, senders=["a.example"])
    nested = NestedStack(mail, "Nested")
    lambda_rule(nested, "InNested", organization(nested), senders=["b.example"])
    lambda_rule(
        other := Stack(app, "Other"), "OfOtherStack", organization(other), function=shared, senders=["c.example"]
    )
    production = Stack(Stage(app, "Production"), "Mail")
    parameter = CfnParameter(production, "OrganizationId")
    imported = Function.from_function_arn(production, "F", "arn:aws:lambda:us-east-1:111122223333:function:rule")
    lambda_rule(production, "OfParameter", organization(production, parameter.value_as_string), function=imported)

    declared = from_cloud_assembly(Path(app.synth().directory))

    def without_hashes(function: str | None) -> str:
        return re.sub(r"(?<=[a-z])[0-9A-F]{8}\b", "", function or "")

    assert {of.organization_id: {rule.name: without_hashes(rule.function) for rule in of.rules} for of in declared} == {
        ORGANIZATION_ID: {
            "Disclaimer": "the output DisclaimerFunctionArn of stack Mail",
            "InNested": "the output workmailconstructsNestedInNestedFunctionArn of stack Mail",
            "OfOtherStack": "the output OfOtherStackFunctionArn of stack Other",
        },
        "${OrganizationId} of stack Production-Mail": {
            "OfParameter": "arn:aws:lambda:us-east-1:111122223333:function:rule"
        },
    }


def test_rules_of_a_stack_with_an_environment_name_it() -> None:
    stack = Stack(App(), "Mail", env=Environment(region="eu-west-1", account="111122223333"))
    lambda_rule(stack, "Disclaimer", organization(stack))

    (declared,) = metadata(stack)["organizations"]
    assert declared["organizationArn"] == f"arn:aws:workmail:eu-west-1:111122223333:organization/{ORGANIZATION_ID}"


@pytest.mark.fact("L7", "F13")
def test_the_assembly_gets_a_runbook_of_the_whole_organization_for_each_stack() -> None:
    app = App()
    mail = Stack(app, "Mail")
    rule = lambda_rule(NestedStack(mail, "Nested"), "Disclaimer", organization(mail))
    guard = Stack(Stage(app, "Production"), "Guard")
    imported = Function.from_function_arn(guard, "F", "arn:aws:lambda:us-east-1:111122223333:function:guard")
    lambda_rule(guard, "Guard", of := organization(guard), function=imported, senders=["guarded.example"])
    drop_and_exception(guard, of=of)

    assembly = app.synth()

    runbooks = [
        (Path(assembly.directory) / "Mail.email-flow-rules.md").read_text(),
        (
            Path(assembly.get_nested_assembly("assembly-Production").directory)
            / f"{guard.artifact_id}.email-flow-rules.md"
        ).read_text(),
    ]
    assert runbooks[0] == runbooks[1]
    output = mail.resolve(rule.function_arn_output.logical_id)
    assert f"the output {output} of stack Mail" in runbooks[0]
    assert list(Template.from_stack(mail).find_outputs(output)) == [output]
    assert "`arn:aws:lambda:us-east-1:111122223333:function:guard`" in runbooks[0]
    assert runbooks[0].index("Newsletters") < runbooks[0].index("`Spam`")


def runbook_of(app: App, stack: str) -> str:
    return (Path(app.synth().directory) / f"{stack}.email-flow-rules.md").read_text()


@pytest.mark.fact("L3", "L4")
def test_the_runbook_of_a_stack_with_an_environment_has_region_account_and_source_arn() -> None:
    app = App()
    anywhere = Stack(app, "Anywhere")
    drop_and_exception(anywhere, of=organization(anywhere), acknowledge={"overlaps-drop": "meant"})
    stack = Stack(app, "Mail", env=Environment(region="eu-west-1", account="111122223333"))
    rule = lambda_rule(stack, "Disclaimer", organization(stack), owner="Ann, ann@example.com")

    book = runbook_of(app, "Anywhere")

    output = stack.resolve(rule.function_arn_output.logical_id)
    for line in (
        "| Region | `eu-west-1` |",
        "| AWS account | `111122223333` |",
        StackOutput(output, "Mail").command("eu-west-1"),
        f"| Condition, AWS:SourceArn | `arn:aws:workmail:eu-west-1:111122223333:organization/{ORGANIZATION_ID}` |",
        "- Whom to ask: Ann, ann@example.com",
        "- Whom to ask: whoever maintains Anywhere in the CDK app",
    ):
        assert f"{line}\n" in book
    assert "**Test** from `someone@example.net` to `someone@example.com` shows **Run Lambda**." in book


def test_the_runbook_of_a_stack_without_an_environment_says_how_to_find_it() -> None:
    app = App()
    stage = Stage(app, "Production")
    stack = Stack(stage, "Mail")
    rule = lambda_rule(NestedStack(stack, "Nested"), "Disclaimer", organization(stack))

    assembly = app.synth().get_nested_assembly(stage.artifact_id)
    book = next(Path(assembly.directory).glob("*.email-flow-rules.md")).read_text()
    (read,) = from_cloud_assembly(Path(app.outdir))

    output = stack.resolve(rule.function_arn_output.logical_id)
    for line in (
        "| Region | that of stack `Production-Mail`; the command below prints it |",
        'aws cloudformation describe-stacks --stack-name Production-Mail --query "Stacks[0].StackId" --output text',
        StackOutput(output, "Production-Mail").command(None),
        "- Whom to ask: whoever maintains Production/Mail/Nested/Disclaimer in the CDK app",
    ):
        assert f"{line}\n" in book
    assert "Token[" not in book
    assert runbook(read) == book


def test_a_plain_rule_has_a_description_and_an_owner() -> None:
    stack = Stack(App(), "Mail")
    drop_and_exception(stack, description="Known spammers", owner="Ann")

    spam, newsletters = metadata(stack)["organizations"][0]["rules"]
    assert (spam["description"], spam["owner"]) == ("Known spammers", "Ann")
    assert newsletters["owner"] == "whoever maintains Mail in the CDK app"
    assert "description" not in newsletters


def test_an_app_without_rules_gets_no_runbook(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    Stack(app, "Mail")

    app.synth()

    assert list(tmp_path.glob("*.md")) == []
