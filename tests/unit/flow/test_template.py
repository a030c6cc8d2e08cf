"""Declared rules in a template's metadata: written, read back, and refused where they are not ours."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from workmail_flow.rule_problems import RuleError
from workmail_flow.rule_set import RuleSet
from workmail_flow.template import (
    METADATA_KEY,
    DeclaredRules,
    TemplateError,
    declared_rule_sets,
    rules_metadata,
    spell_intrinsic,
)

ORGANIZATION_ID = "m-0123456789abcdef0123456789abcdef"
DECLARED = DeclaredRules(
    organization_id=ORGANIZATION_ID,
    organization_arn=f"arn:aws:workmail:us-east-1:111122223333:organization/{ORGANIZATION_ID}",
    domains=("example.com",),
    rules=RuleSet.from_json(
        {
            "rules": [
                {
                    "name": "Spammers",
                    "direction": "inbound",
                    "action": "DROP",
                    "senders": ["*.spam.example"],
                    "destinations": ["*"],
                    "acknowledge": {"overlap": "they never write anything else"},
                },
                {
                    "name": "Disclaimer",
                    "direction": "outbound",
                    "action": "RUN_LAMBDA",
                    "senders": ["*"],
                    "destinations": ["*"],
                    "function": "arn:aws:lambda:us-east-1:111122223333:function:Disclaimer",
                    "synchronous": True,
                    "fallback": "DEFAULT",
                    "ruleTimeoutMinutes": 30,
                },
            ]
        }
    ),
)


def template(*declared: DeclaredRules) -> dict[str, object]:
    return {"Metadata": {METADATA_KEY: json.loads(json.dumps(rules_metadata(declared)))}}


def test_what_is_written_is_read_back() -> None:
    assert declared_rule_sets(template(DECLARED)) == (DECLARED,)


@pytest.mark.parametrize("other", [{}, {"Metadata": {"cfn-lint": {}}}, template()])
def test_a_template_may_declare_nothing(other: dict[str, object]) -> None:
    assert declared_rule_sets(other) == ()


ALIASED = replace(DECLARED, organization_alias="acme")
LOOKUP = {"Ref": "Lookup"}


def test_an_organization_by_alias_has_its_id_where_that_is_known_and_else_its_alias() -> None:
    written = template(replace(ALIASED, organization_id=LOOKUP))  # type: ignore[arg-type]  # a token that CDK resolved

    (known,) = declared_rule_sets(written, resolve=lambda _: ORGANIZATION_ID)
    (unknown,) = declared_rule_sets(written)

    assert known == ALIASED
    assert unknown == replace(ALIASED, organization_id="acme")


def test_an_alias_that_is_a_parameter_is_resolved() -> None:
    written = template(replace(ALIASED, organization_id=LOOKUP, organization_alias={"Ref": "Alias"}))  # type: ignore[arg-type]

    (declared,) = declared_rule_sets(written, resolve=lambda value: f"the value of {value['Ref']}")  # type: ignore[index]

    assert declared.organization_id == "the value of Alias"


def test_intrinsics_are_resolved() -> None:
    metadata = rules_metadata([DECLARED])
    (organization,) = metadata["organizations"]
    organization["organizationId"] = {"Ref": "Organization"}
    organization["rules"][1]["function"] = {"Fn::GetAtt": ["Disclaimer1A2B", "Arn"]}
    written = {"Metadata": {METADATA_KEY: metadata}}

    (spelled,) = declared_rule_sets(written)
    assert (spelled.organization_id, spelled.rules.rules[1].function) == ("${Organization}", "${Disclaimer1A2B.Arn}")

    (resolved,) = declared_rule_sets(written, resolve=lambda value: f"<{value}>")
    assert resolved.organization_id == "<{'Ref': 'Organization'}>"


@pytest.mark.parametrize(
    ("metadata", "complaint"),
    [
        ("text", "Metadata.WorkMailEmailFlow.version: found 'text'"),
        ({"version": 2}, "found 2, this release reads version 1"),
        ({"version": 1, "organizations": {}}, "Metadata.WorkMailEmailFlow.organizations: found {}"),
        ({"version": 1, "organizations": ["m-1"]}, "Metadata.WorkMailEmailFlow.organizations[0]: found 'm-1'"),
        ({"version": 1, "organizations": [{"organizationId": "m-1"}]}, "organizationArn, domains, rules missing"),
    ],
)
def test_metadata_of_another_shape_is_refused(metadata: object, complaint: str) -> None:
    with pytest.raises(TemplateError) as refused:
        declared_rule_sets({"Metadata": {METADATA_KEY: metadata}})
    assert complaint in str(refused.value)


def test_rules_that_workmail_would_not_take_are_refused_with_their_place() -> None:
    metadata = rules_metadata([DECLARED])
    metadata["organizations"][0]["rules"][0]["senders"] = ["a+b@example.com"]

    with pytest.raises(RuleError, match=r"\$\.rules\[0\]\.senders\[0\]"):
        declared_rule_sets({"Metadata": {METADATA_KEY: metadata}})


@pytest.mark.parametrize(
    ("intrinsic", "text"),
    [
        ("plain", "plain"),
        ({"Ref": "AWS::Region"}, "${AWS::Region}"),
        ({"Fn::GetAtt": ["Rule", "Arn"]}, "${Rule.Arn}"),
        ({"Fn::Sub": "arn:${AWS::Partition}:s3:::b"}, "arn:${AWS::Partition}:s3:::b"),
        ({"Fn::Join": [":", ["arn", {"Ref": "AWS::Partition"}, "lambda"]]}, "arn:${AWS::Partition}:lambda"),
        ({"Fn::ImportValue": "Other:Arn"}, '{"Fn::ImportValue":"Other:Arn"}'),
    ],
)
def test_intrinsics_are_spelled_for_people(intrinsic: object, text: str) -> None:
    assert spell_intrinsic(intrinsic) == text
