"""The policies of a template, as if it were deployed: each resource is named by its own name or its logical id."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from workmail_flow.template import spell_intrinsic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workmail_local.deployment import Statement

# ARNs by resource type, with the property that may name the resource.
_ARNS: Final = {
    "AWS::IAM::Role": ("arn:aws:iam::{account}:role/{name}", "RoleName"),
    "AWS::KMS::Key": ("arn:aws:kms:{region}:{account}:key/{name}", ""),
    "AWS::Lambda::Function": ("arn:aws:lambda:{region}:{account}:function:{name}", "FunctionName"),
    "AWS::Logs::LogGroup": ("arn:aws:logs:{region}:{account}:log-group:{name}:*", "LogGroupName"),
    "AWS::S3::Bucket": ("arn:aws:s3:::{name}", "BucketName"),
    "AWS::SQS::Queue": ("arn:aws:sqs:{region}:{account}:{name}", "QueueName"),
}
_QUALIFIED: Final = {"AWS::Lambda::Alias": "Name", "AWS::Lambda::Version": ""}
_FUNCTIONS: Final = ("AWS::Lambda::Function", *_QUALIFIED)
# The properties of a permission that narrow it, beside its source ARN, as conditions of the policy that Lambda makes.
_CONDITIONS: Final = {
    "EventSourceToken": "lambda:EventSourceToken",
    "FunctionUrlAuthType": "lambda:FunctionUrlAuthType",
    "PrincipalOrgID": "aws:PrincipalOrgID",
    "SourceAccount": "aws:SourceAccount",
}
_INTRINSICS: Final = {"Ref", "Fn::GetAtt", "Fn::GetStackOutput", "Fn::ImportValue", "Fn::Join", "Fn::Select", "Fn::Sub"}
_IN_SUB: Final = re.compile(r"\$\{(!?)([^{}]+)\}")


class TemplatePolicies:
    """Reads a template's policies with their intrinsics resolved.

    Args:
        template: The template.
        region: What `AWS::Region` stands for.
        account: What `AWS::AccountId` stands for.
        values: What references stand for, such as those to parameters; by default for their name.
    """

    def __init__(
        self, template: Mapping[str, Any], *, region: str, account: str, values: Mapping[str, str] | None = None
    ) -> None:
        self._resources: Mapping[str, Any] = template.get("Resources", {})
        self._region = region
        self._account = account
        self._values = {
            "AWS::Region": region,
            "AWS::AccountId": account,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            **(values or {}),
        }

    def text(self, value: Any) -> str:
        """Return what a string or an intrinsic stands for."""
        match value:
            case str():
                return value
            case {"Ref": str(name)}:
                return self._reference(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._attribute(name, attribute)
            case {"Fn::GetAtt": str(path)}:
                return self._attribute(*path.split(".", 1))
            case {"Fn::Join": [str(delimiter), list(parts)]}:
                return delimiter.join(map(self.text, parts))
            case {"Fn::Sub": str(text)}:
                return self._substituted(text, {})
            case {"Fn::Sub": [str(text), dict(values)]}:
                return self._substituted(text, values)
            case {"Fn::Select": [int() | str() as index, {"Fn::Split": [str(delimiter), whole]}]}:
                parts = self.text(whole).split(delimiter)
                return parts[int(index)] if int(index) < len(parts) else spell_intrinsic(value)
            case {"Fn::ImportValue": export}:
                return self.text(export).replace(":", "-")
        return spell_intrinsic(value)

    def resolved(self, node: Any) -> Any:
        """Return a policy document, or any part of a template, with its intrinsics resolved."""
        match node:
            case dict() if len(node) == 1 and node.keys() <= _INTRINSICS:
                return self.text(node)
            case dict():
                return {name: self.resolved(value) for name, value in node.items()}
            case list():
                return [self.resolved(item) for item in node]
        return node

    def function_arns(self) -> dict[str, str]:
        """Return the ARN of every function, version and alias, by logical id."""
        return {name: self._arn_of_function(name) for name in self._names(*_FUNCTIONS)}

    def bucket_names(self) -> dict[str, str]:
        """Return the name of every bucket, by logical id."""
        return {name: self._reference(name) for name in self._names("AWS::S3::Bucket")}

    def function_policies(self) -> dict[str, list[Statement]]:
        """Return the statements that Lambda makes of the permissions, by the function's ARN."""
        policies: dict[str, list[Statement]] = {}
        for name in self._names("AWS::Lambda::Permission"):
            properties = self._resources[name].get("Properties", {})
            arn = self.arn_of_function(self.text(properties.get("FunctionName", "")))
            principal = self.text(properties.get("Principal", ""))
            kind = "Service" if principal.endswith(".amazonaws.com") else "AWS"
            condition: dict[str, Any] = {}
            if "SourceArn" in properties:
                condition["ArnLike"] = {"aws:SourceArn": self.text(properties["SourceArn"])}
            equal = {key: self.text(properties[name]) for name, key in _CONDITIONS.items() if name in properties}
            if equal:
                condition["StringEquals"] = equal
            statement = {
                "Sid": name,
                "Effect": "Allow",
                "Principal": {kind: principal},
                "Action": self.text(properties.get("Action", "")),
                "Resource": arn,
                "Condition": condition,
            }
            policies.setdefault(arn, []).append(statement)
        return policies

    def role_of_function(self, function_arn: str) -> str | None:
        """Return the ARN of the role of a function, or of a version or alias of one; None if it is not made here."""
        unqualified = ":".join(function_arn.split(":")[:7])
        for name in self._names("AWS::Lambda::Function"):
            if self._arn_of_function(name) == unqualified:
                return self.text(self._resources[name]["Properties"]["Role"])
        return None

    def role_statements(self, role_arn: str) -> list[Statement]:
        """Return the statements of a role's policies; those of policies that AWS manages are not known."""
        role = role_arn.rpartition("/")[2]
        found: list[Statement] = []
        attached: set[str] = set()
        for name in self._names("AWS::IAM::Role"):
            if self._reference(name) == role:
                properties = self._resources[name].get("Properties", {})
                attached.update(map(self.text, properties.get("ManagedPolicyArns", ())))
                for policy in properties.get("Policies", ()):
                    found += self._statements(name, policy["PolicyDocument"])
        for name in self._names("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
            properties = self._resources[name]["Properties"]
            roles = [*properties.get("Roles", ()), properties.get("RoleName", "")]
            if name in attached or role in map(self.text, roles):
                found += self._statements(name, properties["PolicyDocument"])
        return found

    def bucket_statements(self, bucket: str) -> list[Statement]:
        """Return the statements of the policies of a bucket, given by its name."""
        found: list[Statement] = []
        for name in self._names("AWS::S3::BucketPolicy"):
            properties = self._resources[name]["Properties"]
            if self.text(properties["Bucket"]) == bucket:
                found += self._statements(name, properties["PolicyDocument"])
        return found

    def key_of_bucket(self, bucket: str) -> tuple[str, list[Statement]] | None:
        """Return ARN and statements of the KMS key that encrypts a bucket, if both are made here."""
        made = {self._reference(name): name for name in self._names("AWS::S3::Bucket")}
        rules = self._resources.get(made.get(bucket, ""), {}).get("Properties", {}).get("BucketEncryption", {})
        for rule in rules.get("ServerSideEncryptionConfiguration", ()):
            key_id = self.text(rule.get("ServerSideEncryptionByDefault", {}).get("KMSMasterKeyID", ""))
            for name in self._names("AWS::KMS::Key"):
                if key_id in (name, self._attribute(name, "Arn")):
                    return self._attribute(name, "Arn"), self._statements(
                        name, self._resources[name]["Properties"]["KeyPolicy"]
                    )
        return None

    def arn_of_function(self, name: str) -> str:
        """Return a function's ARN, for one that is given by its name or its ARN."""
        return name if name.startswith("arn:") else self._arn("AWS::Lambda::Function", name)

    def _names(self, *types: str) -> Iterator[str]:
        return (name for name, resource in self._resources.items() if resource.get("Type") in types)

    def _arn(self, kind: str, name: str) -> str:
        return _ARNS[kind][0].format(region=self._region, account=self._account, name=name)

    def _reference(self, name: str) -> str:
        resource = self._resources.get(name, {})
        kind = resource.get("Type")
        if kind in _QUALIFIED:
            return self._arn_of_function(name)
        own_name = resource.get("Properties", {}).get(_ARNS[kind][1]) if kind in _ARNS else None
        return own_name if isinstance(own_name, str) else self._values.get(name, name.rpartition("::")[2])

    def _attribute(self, name: str, attribute: str) -> str:
        kind = self._resources.get(name, {}).get("Type")
        if attribute == "Arn" and kind in _ARNS:
            return self._arn(kind, self._reference(name))
        return name if attribute == "Version" else f"{name}.{attribute}"

    def _arn_of_function(self, name: str) -> str:
        resource = self._resources[name]
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind not in _QUALIFIED:
            return self._arn(kind, self._reference(name))
        qualifier = properties[_QUALIFIED[kind]] if _QUALIFIED[kind] else name
        return f"{self.arn_of_function(self.text(properties['FunctionName']))}:{self.text(qualifier)}"

    def _substituted(self, text: str, values: Mapping[str, Any]) -> str:
        def value(match: re.Match[str]) -> str:
            literal, name = match[1], match[2].strip()
            if literal:
                return f"${{{name}}}"
            if name in values:
                return self.text(values[name])
            resource, dot, attribute = name.partition(".")
            return self._attribute(resource, attribute) if dot else self._reference(name)

        return _IN_SUB.sub(value, text)

    def _statements(self, name: str, document: Mapping[str, Any]) -> list[Statement]:
        statements = document.get("Statement", [])
        listed = statements if isinstance(statements, list) else [statements]
        return [
            {"Sid": f"{name} statement {number}", **self.resolved(statement)}
            for number, statement in enumerate(listed, start=1)
        ]
