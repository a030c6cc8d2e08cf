"""`AllowOrBlock` in a rule: what it packs, makes and grants, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk.aws_dynamodb import Attribute, AttributeType, Table, TableEncryption
from aws_cdk.aws_kms import Key

from tests.constructs.stacks import errors_of, new_stack, only, properties_of, rights_of, warnings_of
from tests.constructs.steps.rules import configuration_of, new_rule_of
from workmail_constructs import FallbackAction, FlowDirection, Run
from workmail_constructs.steps.allow_or_block import AllowOrBlock
from workmail_constructs.steps.decision import Bounce, BypassSpamCheck, Drop
from workmail_constructs.steps.step import OnFailure


def users_table(scope: Any, name: str = "pattern", **options: Any) -> Table:
    return Table(scope, "Users", partition_key=Attribute(name=name, type=AttributeType.STRING), **options)


def test_lists_are_packed_by_the_form_of_their_patterns() -> None:
    step = AllowOrBlock(allow=["Mary@Example.com", "*"], block=["*.bad.example", "Bücher.example"])
    assert configuration_of(new_stack(), step) == {
        "whose": "SENDERS",
        "wins": "ALLOW",
        "allow": {"addresses": ["mary@example.com"], "anybody": True},
        "block": {"domains": ["xn--bcher-kva.example"], "wildcards": ["bad.example"]},
        "blocked": {"action": "MOVE_TO_JUNK"},
        "allowed": None,
        "otherwise": None,
    }
    assert step.on_failure is OnFailure.FAIL


def test_packed_lists_need_no_right_and_no_resource() -> None:
    stack = new_stack()
    new_rule_of(stack, AllowOrBlock(block=["bad.example"]))
    assert rights_of(stack) == []
    assert properties_of(stack, "AWS::DynamoDB::Table") == []


def test_ten_thousand_patterns_are_packed_and_no_more() -> None:
    addresses = [f"user{number}@example.com" for number in range(10_000)]
    packed = configuration_of(new_stack(), AllowOrBlock(block=addresses))
    assert packed["block"] == {"addresses": addresses}
    with pytest.raises(ValueError, match=r"^allow, block: found 10,001 patterns; at most 10,000 are packed"):
        AllowOrBlock(block=addresses, allow=["*"])


def test_a_table_is_made_that_keeps_what_the_administrator_wrote() -> None:
    stack = new_stack()
    step = AllowOrBlock()
    with pytest.raises(AttributeError, match=r"^table: found none at AllowOrBlock"):
        _ = step.table
    new_rule_of(stack, step)
    made = only(stack, "AWS::DynamoDB::Table")
    assert made["KeySchema"] == [{"AttributeName": "pattern", "KeyType": "HASH"}]
    assert made["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    assert made["SSESpecification"] == {"SSEEnabled": True}
    (resource,) = template(stack, "AWS::DynamoDB::Table")
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")
    (statement,) = rights_of(stack)
    assert statement["Action"] == "dynamodb:BatchGetItem"
    assert statement["Resource"] == stack.resolve(step.table.table_arn)


def template(stack: Any, kind: str) -> list[dict[str, Any]]:
    resources = stack.node.root.synth().get_stack_by_name(stack.stack_name).template["Resources"].values()
    return [each for each in resources if each["Type"] == kind]


def test_rules_that_share_the_step_share_its_table() -> None:
    stack = new_stack()
    step = AllowOrBlock(blocked=Drop())
    new_rule_of(stack, step)
    new_rule_of(stack, step, name="Outbound", direction=FlowDirection.OUTBOUND)
    only(stack, "AWS::DynamoDB::Table")


def test_a_given_table_is_read_by_its_key_and_no_more() -> None:
    stack = new_stack()
    table = users_table(stack, encryption=TableEncryption.CUSTOMER_MANAGED, encryption_key=(key := Key(stack, "Key")))
    configuration = configuration_of(stack, AllowOrBlock(table=table))
    assert configuration["table"] == {"$environment": "WORKMAIL_STEP_VALUE_0"}
    function = only(stack, "AWS::Lambda::Function")
    assert function["Environment"]["Variables"]["WORKMAIL_STEP_VALUE_0"] == stack.resolve(table.table_name)
    read, decrypt = sorted(rights_of(stack), key=lambda each: str(each["Action"]))
    assert (read["Action"], read["Resource"]) == ("dynamodb:BatchGetItem", stack.resolve(table.table_arn))
    assert (decrypt["Action"], decrypt["Resource"]) == ("kms:Decrypt", stack.resolve(key.key_arn))
    assert decrypt["Condition"] == {"StringEquals": {"kms:ViaService": "dynamodb.eu-west-1.amazonaws.com"}}


def test_an_imported_table_can_be_given_to_a_stack_of_any_region() -> None:
    stack = new_stack(env=None)
    new_rule_of(stack, AllowOrBlock(table=Table.from_table_name(stack, "Users", "lists")))
    (statement,) = rights_of(stack)
    assert statement["Action"] == "dynamodb:BatchGetItem"
    assert errors_of(stack) == []


@pytest.mark.fact("T2")
@pytest.mark.parametrize(("decision", "count"), [(Bounce("No."), 1), (Drop(), 1), (BypassSpamCheck(), 0), (None, 0)])
def test_synth_warns_of_a_fallback_that_delivers_what_would_be_blocked(decision: Any, count: int) -> None:
    stack = new_stack()
    run = Run.synchronous(fallback=FallbackAction.DEFAULT)
    new_rule_of(stack, AllowOrBlock(block=["bad.example"], blocked=decision), run=run)
    assert len([text for _, text in warnings_of(stack) if "DEFAULT with AllowOrBlock" in text]) == count


@pytest.mark.fact("R2", "R10")
def test_it_decides_and_outbound_mail_has_no_junk_folder() -> None:
    new_rule_of(new_stack(), AllowOrBlock(block=["a.example"], blocked=Drop()), direction=FlowDirection.OUTBOUND)
    with pytest.raises(ValueError, match="found AllowOrBlock with an action that outbound mail does not have"):
        new_rule_of(new_stack(), AllowOrBlock(block=["a.example"]), direction=FlowDirection.OUTBOUND)
    with pytest.raises(ValueError, match="found AllowOrBlock, which decides about delivery"):
        new_rule_of(new_stack(), AllowOrBlock(block=["a.example"]), run=Run.asynchronous())


@pytest.mark.fact("F4", "F5")
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"allow": ["a+b@example.com"]}, r"^allow\[0\]: .* '\+' is not valid in a pattern"),
        ({"block": ["example.com", "x@*"]}, r"^block\[1\]: "),
        ({"block": ["example.com"], "whose": "EVERYBODY"}, "^whose: found 'EVERYBODY'; allowed: SENDERS, RECIPIENTS"),
        ({"block": ["example.com"], "wins": "NOBODY"}, "^wins: found 'NOBODY'; allowed: ALLOW, BLOCK"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        AllowOrBlock(**arguments)


def test_a_table_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^table: found one with the key id \(string\); the key has to be pattern"):
        AllowOrBlock(table=users_table(new_stack(), "id"))
    with pytest.raises(ValueError, match=r"^table: found beside allow or block"):
        AllowOrBlock(table=users_table(new_stack()), allow=["example.com"])
