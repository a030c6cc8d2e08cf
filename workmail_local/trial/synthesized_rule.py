"""A rule of a synthesized app, as its function can be tried without a deployment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workmail_flow.message_bucket import MESSAGE_BUCKET_VARIABLE
from workmail_flow.template import TemplateError, declared_rule_sets
from workmail_flow.vocabulary import RuleAction
from workmail_local.aws.cdk import synthesized_stacks
from workmail_local.aws.server import DEFAULT_ACCOUNT
from workmail_local.trial.handler_trials import REGION, TriedHandler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workmail_local.aws.cdk import SynthesizedStack

_TABLE: Final = "AWS::DynamoDB::Table"
_TABLE_FIELDS: Final = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes")


class SynthesizedRuleError(Exception):
    """The rule cannot be tried; the text says why, and what to do."""


def synthesized(app: Path, output: Path) -> Path:
    """Return the folder of a synthesized app: the app itself if it is one, or what its `cdk.json` makes in `output`.

    Raises:
        SynthesizedRuleError: It is neither, or its synth failed.
    """
    if (app / "manifest.json").is_file():
        return app
    settings = app / "cdk.json"
    if not settings.is_file():
        raise SynthesizedRuleError(f"{app} holds neither a cdk.json nor a synthesized app (manifest.json)")
    content = json.loads(settings.read_text(encoding="utf-8"))
    # As the CDK CLI runs it: by the shell, and with the context of the file.
    environment = {
        **os.environ,
        "CDK_OUTDIR": str(output),
        "CDK_CONTEXT_JSON": json.dumps(content.get("context", {})),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    done = subprocess.run(  # noqa: S602 - the user's own command
        content["app"], shell=True, cwd=app, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode or not (output / "manifest.json").is_file():
        raise SynthesizedRuleError(f"{app}: its synth failed:\n{done.stdout}{done.stderr}".rstrip())
    return output


def find_rule(assembly: Path, name: str, *, environment: Mapping[str, str]) -> TriedHandler:
    """Return the function of a Run Lambda rule, and the rule to try it under.

    Args:
        assembly: A synthesized app.
        name: The rule's name.
        environment: Variables in place of those of the template.

    Raises:
        SynthesizedRuleError: There is no such rule, or its function is not one that the stack makes from a folder.
    """
    names = []
    for stack in synthesized_stacks(assembly):
        try:
            # An intrinsic as JSON, to be read again.
            declared = declared_rule_sets(stack.template, resolve=json.dumps)
        except TemplateError as error:
            raise SynthesizedRuleError(f"{stack.name}: {error}") from error
        for rule in (rule for each in declared for rule in each.rules if rule.action is RuleAction.RUN_LAMBDA):
            names.append(rule.name)
            if rule.name != name:
                continue
            function = _function(stack, str(rule.function), name)
            values = _Values(stack)
            variables = function.get("Environment", {}).get("Variables", {})
            resolved = {key: values.of(value) for key, value in variables.items() if key != MESSAGE_BUCKET_VARIABLE}
            return TriedHandler(
                folder=_code(assembly, function, name),
                handler=function["Handler"],
                direction=rule.direction,
                synchronous=rule.synchronous is not False,
                environment={**resolved, **environment},
                packed=True,
                tables=values.tables,
            )
    found = ", ".join(sorted(names)) or "none that runs a function"
    raise SynthesizedRuleError(f"--rule: found {name!r}; the app has {found}")


def _function(stack: SynthesizedStack, arn: str, rule: str) -> dict[str, Any]:
    """Return the properties of the function that a rule names, directly or by an alias or version."""
    resources = stack.template.get("Resources", {})
    value: object = json.loads(arn) if arn.startswith("{") else arn
    while True:
        match value:
            case {"Fn::GetAtt": [str(logical_id), "Arn"]} | {"Ref": str(logical_id)} if logical_id in resources:
                properties: dict[str, Any] = resources[logical_id].get("Properties", {})
                if resources[logical_id].get("Type") == "AWS::Lambda::Function":
                    return properties
                value = properties.get("FunctionName")
            case _:
                raise SynthesizedRuleError(
                    f"--rule: the stack {stack.name} does not make the function of {rule}; deploy it to the local "
                    "WorkMail to run it"
                )


def _code(assembly: Path, function: Mapping[str, Any], rule: str) -> Path:
    digest = str(function.get("Code", {}).get("S3Key", "")).removesuffix(".zip")
    found = next(assembly.rglob(f"asset.{digest}"), None) if digest else None
    if found is None or not found.is_dir():
        raise SynthesizedRuleError(f"--rule: the function of {rule} is not packed from a folder; try its handler")
    return found


class _Values:
    """What stands for the values that only a deployment knows: names of its own for each resource."""

    def __init__(self, stack: SynthesizedStack) -> None:
        self._resources = stack.template.get("Resources", {})
        self.tables: dict[str, dict[str, Any]] = {}
        """The tables that a value names, as `CreateTable` takes them."""

    def of(self, value: object) -> str:
        """Return a value."""
        match value:
            case str():
                return value
            case {"Ref": "AWS::Region"}:
                return REGION
            case {"Ref": "AWS::AccountId"}:
                return DEFAULT_ACCOUNT
            case {"Ref": "AWS::Partition"}:
                return "aws"
            case {"Ref": str(logical_id)}:
                return self._name(logical_id)
            case {"Fn::GetAtt": [str(logical_id), str(attribute)]}:
                name = self._name(logical_id)
                if attribute != "Arn":
                    return name
                service = str(self._resources.get(logical_id, {}).get("Type", "AWS::none")).split("::")[1].lower()
                return f"arn:aws:{service}:{REGION}:{DEFAULT_ACCOUNT}:{name}"
            case {"Fn::Join": [str(delimiter), list(parts)]}:
                return delimiter.join(map(self.of, parts))
            case _:
                return json.dumps(value)

    def _name(self, logical_id: str) -> str:
        resource = self._resources.get(logical_id, {})
        properties = resource.get("Properties", {})
        if resource.get("Type") == _TABLE:
            fields = {key: properties[key] for key in _TABLE_FIELDS if key in properties}
            self.tables[logical_id] = {"TableName": logical_id, "BillingMode": "PAY_PER_REQUEST", **fields}
            return logical_id
        return logical_id.lower()  # as a bucket may be called
