"""Declared rule sets in a CloudFormation template's metadata: written at synth, read back after deployment.

The template's `Metadata` holds, under `METADATA_KEY`::

    {"version": 1, "organizations": [{"organizationId": …, "organizationArn": …, "domains": […], "rules": […]}]}

where `rules` are the entries of a rule file. The organization and a rule's function may be CloudFormation intrinsics.
An organization that is looked up by its alias has an `organizationAlias` too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from workmail_flow.limits import ORGANIZATION_ID_PATTERN
from workmail_flow.rule_set import RuleSet

METADATA_KEY: Final = "WorkMailEmailFlow"
METADATA_VERSION: Final = 1


class TemplateError(ValueError):
    """A template's metadata does not have the shape that the constructs write; the message names the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredRules:
    """The rules that templates declare for one organization."""

    organization_id: str
    """Its alias, or words that say where to find the id, if that is not known where the rules are read."""
    organization_arn: str
    domains: tuple[str, ...]
    rules: RuleSet
    organization_alias: str | None = None
    """The alias that a deployment finds it by."""
    stacks: tuple[str, ...] = ()
    """The names of the stacks that declare the rules, as they are deployed."""
    functions: Mapping[str, str] = field(default_factory=dict)
    """Which function each rule's `function` is, in words that stay equal as long as its ARN does."""


def rules_metadata(declared: Sequence[DeclaredRules]) -> dict[str, Any]:
    """Return what a template's metadata holds under `METADATA_KEY`."""
    return {
        "version": METADATA_VERSION,
        "organizations": [
            {
                "organizationId": of_organization.organization_id,
                "organizationArn": of_organization.organization_arn,
                **({"organizationAlias": alias} if (alias := of_organization.organization_alias) else {}),
                "domains": list(of_organization.domains),
                **of_organization.rules.to_json(),
            }
            for of_organization in declared
        ],
    }


def declared_rule_sets(
    template: Mapping[str, Any],
    *,
    resolve: Callable[[object], str] | None = None,
    function_of: Callable[[object], str] | None = None,
) -> tuple[DeclaredRules, ...]:
    """Read the rules that a template declares, one entry per organization; empty if it declares none.

    Args:
        template: The template, parsed.
        resolve: Turns an intrinsic (a mapping such as `{"Fn::GetAtt": […]}`) into its value. Without it an intrinsic is
            spelled as `Fn::Sub` would: `${Disclaimer1A2B3C4D.Arn}`.
        function_of: Says which function a value is the ARN of; without it `functions` stays empty.

    Raises:
        TemplateError: The metadata has another version or shape.
        RuleError: A rule in it is not valid.
    """
    metadata = template.get("Metadata", {}).get(METADATA_KEY)
    if metadata is None:
        return ()
    at = f"Metadata.{METADATA_KEY}"
    if not isinstance(metadata, Mapping) or metadata.get("version") != METADATA_VERSION:
        found = metadata.get("version") if isinstance(metadata, Mapping) else metadata
        message = (
            f"{at}.version: found {found!r}, this release reads version {METADATA_VERSION}; "
            "synthesize and deploy the stack with this release, or read it with the release that deployed it"
        )
        raise TemplateError(message)
    entries = metadata.get("organizations")
    if not isinstance(entries, list):
        message = f"{at}.organizations: found {entries!r}, a list of organizations is needed"
        raise TemplateError(message)
    to_text = resolve or spell_intrinsic
    return tuple(
        _declared(entry, at=f"{at}.organizations[{index}]", to_text=to_text, function_of=function_of)
        for index, entry in enumerate(entries)
    )


def _declared(
    entry: object, *, at: str, to_text: Callable[[object], str], function_of: Callable[[object], str] | None
) -> DeclaredRules:
    if not isinstance(entry, Mapping):
        message = f"{at}: found {entry!r}, an object is needed"
        raise TemplateError(message)
    missing = [key for key in ("organizationId", "organizationArn", "domains", "rules") if key not in entry]
    if missing:
        message = f"{at}: {', '.join(missing)} missing; found {', '.join(entry)}"
        raise TemplateError(message)

    def text(value: object) -> str:
        return value if isinstance(value, str) else to_text(value)

    def with_function(rule: object) -> object:
        return (
            {**rule, "function": text(rule["function"])} if isinstance(rule, Mapping) and "function" in rule else rule
        )

    organization_id = text(entry["organizationId"])
    alias = text(entry["organizationAlias"]) if "organizationAlias" in entry else None
    if alias is not None and not re.fullmatch(ORGANIZATION_ID_PATTERN, organization_id):
        organization_id = alias  # which the console lists too, and which is the same in all stacks
    return DeclaredRules(
        organization_id=organization_id,
        organization_alias=alias,
        organization_arn=text(entry["organizationArn"]),
        domains=tuple(text(domain) for domain in entry["domains"]),
        rules=RuleSet.from_json({"rules": [with_function(rule) for rule in entry["rules"]]}),
        functions={
            text(rule["function"]): function_of(rule["function"]) for rule in entry["rules"] if "function" in rule
        }
        if function_of
        else {},
    )


def spell_intrinsic(value: object) -> str:
    """Spell an intrinsic as `Fn::Sub` would, for people to read; as JSON if it has no such spelling."""
    match value:
        case str():
            return value
        case {"Ref": str(name)}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [str(resource), str(attribute)]}:
            return f"${{{resource}.{attribute}}}"
        case {"Fn::Sub": str(text)}:
            return text
        case {"Fn::Join": [str(delimiter), list(parts)]}:
            return delimiter.join(spell_intrinsic(part) for part in parts)
        case _:
            return json.dumps(value, separators=(",", ":"), sort_keys=True)
