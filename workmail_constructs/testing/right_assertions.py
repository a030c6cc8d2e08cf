"""Assertions on what a template lets WorkMail and a rule's function do, decided as IAM would decide it.

Each one holds for one organization and no other. What is not in the template, such as the policies that AWS manages,
counts as absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aws_cdk import Stack

from workmail_constructs.run_lambda_rule import RunLambdaRule
from workmail_constructs.testing.template_json import template_json
from workmail_constructs.testing.template_policies import TemplatePolicies
from workmail_flow.arns import GET_CONTENT, INVOKE_FUNCTION, PUT_CONTENT, READ_UPDATED, message_arn, workmail_principal
from workmail_flow.arns import organization_arn as arn_of_organization
from workmail_flow.vocabulary import FlowDirection
from workmail_local.iam.evaluate import evaluate
from workmail_local.iam.pattern import arn_parts
from workmail_local.iam.questions import may_role, may_workmail_invoke, workmail_context

if TYPE_CHECKING:
    from constructs import IConstruct

    from workmail_constructs.interfaces import AnyBucket, AnyFunction
    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.testing.template_json import AnyTemplate

    FunctionOfTest: TypeAlias = RunLambdaRule | AnyFunction | str
    """A rule, a function (or an alias or version of one), its logical id, or its ARN."""
    BucketOfTest: TypeAlias = RunLambdaRule | AnyBucket | str
    """A rule with a bucket, a bucket, its logical id, or its name."""
    OrganizationOfTest: TypeAlias = WorkMailOrganization | str
    """An organization, or its ARN, which may contain `${AWS::Region}` and `${AWS::AccountId}`."""

_OTHER_ACCOUNT: Final = "999999999999"
_ANY: Final = "00000000-0000-4000-8000-000000000000"


def assert_workmail_can_invoke(
    template: AnyTemplate, function: FunctionOfTest, *, organization: OrganizationOfTest | None = None
) -> None:
    """Assert that WorkMail can invoke a function for an organization, and for no other (L4).

    Args:
        template: A stack, its `aws_cdk.assertions.Template`, or a template's dict.
        function: A rule, its function, the function's logical id, or its ARN. Name the version or alias that the rule
            names: each has permissions of its own.
        organization: The organization or its ARN; a rule has one already.

    Raises:
        AssertionError: It cannot, or others can; the text says what was found and what is needed.
        ValueError: The template has no such function, or the organization is not given.
    """
    case = _Case.of(template, function, organization)
    arn = case.function_arn(function)
    needed = (
        f"an AWS::Lambda::Permission for it with Action {INVOKE_FUNCTION}, Principal {case.principal} and SourceArn "
        f"{case.organization_arn} (L4)"
    )
    remedy = "declare the rule with RunLambdaRule, or correct the permission"
    policies = case.policies.function_policies()
    access = may_workmail_invoke(policies, function_arn=arn, organization_arn=case.organization_arn)
    if not access.allowed:
        raise _failure(f"WorkMail cannot invoke {arn}", access.reason, needed, remedy)
    access = may_workmail_invoke(policies, function_arn=arn, organization_arn=case.other_organization_arn)
    if access.allowed:
        found = f"{access.reason}, whose SourceArn does not keep them out"
        raise _failure(f"other organizations can invoke {arn}", found, needed, remedy)


def assert_workmail_can_read(
    template: AnyTemplate, bucket: BucketOfTest, *, organization: OrganizationOfTest | None = None
) -> None:
    """Assert that WorkMail can read updated messages from a bucket, under the documented conditions only (C5).

    If the template also makes the KMS key that encrypts the bucket, WorkMail must be able to decrypt with it.

    Args:
        template: A stack, its `aws_cdk.assertions.Template`, or a template's dict.
        bucket: A rule with a bucket, the bucket, its logical id, or its name.
        organization: The organization or its ARN; a rule has one already.

    Raises:
        AssertionError: It cannot, or it can without those conditions; the text says what was found and what is needed.
        ValueError: The template has no such bucket, or the organization is not given.
    """
    case = _Case.of(template, bucket, organization)
    name = case.bucket_name(bucket)
    resource, statements = f"arn:aws:s3:::{name}/{_ANY}", case.policies.bucket_statements(name)
    needed = (
        f"a bucket policy that allows {case.principal} {' and '.join(READ_UPDATED)} on arn:aws:s3:::{name}/*, with "
        f"aws:SourceAccount {case.account}, aws:SecureTransport true and aws:SourceArn like {case.messages()} (C5)"
    )
    remedy = "give the bucket to RunLambdaRule as message_bucket, or correct its policy"

    def read(action: str, direction: FlowDirection, **other: str) -> tuple[bool, str]:
        context = {**workmail_context(resource, case.messages(direction, _ANY)), **other}
        access = evaluate(statements, action=action, resource=resource, principal=case.principal, context=context)
        return access.allowed, access.reason

    for action in READ_UPDATED:
        for direction in FlowDirection:
            allowed, reason = read(action, direction)
            if not allowed:
                raise _failure(f"WorkMail cannot read bucket {name}", reason, needed, remedy)
            for who, other in case.others(direction).items():
                allowed, reason = read(action, direction, **other)
                if allowed:
                    raise _failure(f"WorkMail can read bucket {name} for {who}", reason, needed, remedy)
    key = case.policies.key_of_bucket(name)
    if key is not None:
        arn, key_statements = key
        context = workmail_context(arn, case.messages(FlowDirection.INBOUND, _ANY))
        access = evaluate(key_statements, action="kms:Decrypt", resource=arn, principal=case.principal, context=context)
        if not access.allowed:
            raise _failure(
                f"WorkMail cannot decrypt what it reads from bucket {name}",
                access.reason,
                f"a key policy of {arn} that allows {case.principal} kms:Decrypt",
                "give the key to RunLambdaRule as message_key, or correct its policy",
            )


def assert_function_may_read_content(
    template: AnyTemplate,
    function: FunctionOfTest,
    *,
    organization: OrganizationOfTest | None = None,
    direction: FlowDirection | None = None,
) -> None:
    """Assert that a function's role may fetch the messages of an organization and direction (C3).

    It must not be allowed those of another organization.

    Args:
        template: A stack, its `aws_cdk.assertions.Template`, or a template's dict; it makes the function.
        function: A rule, its function, the function's logical id, or its ARN.
        organization: The organization or its ARN; a rule has one already.
        direction: Which messages; a rule has one already.

    Raises:
        AssertionError: It may not, or it may for others; the text says what was found and what is needed.
        ValueError: The template has no such function, or organization or direction are not given.
    """
    _assert_content_rights(template, function, organization, direction, actions=(GET_CONTENT,), access="READ")


def assert_function_may_update_content(
    template: AnyTemplate,
    function: FunctionOfTest,
    *,
    organization: OrganizationOfTest | None = None,
    direction: FlowDirection | None = None,
) -> None:
    """Assert that a function's role may fetch and replace messages; otherwise as `assert_function_may_read_content`.

    For a rule with a bucket, the role may also put objects into it. `assert_workmail_can_read` is the other half.
    """
    case = _assert_content_rights(
        template, function, organization, direction, actions=(GET_CONTENT, PUT_CONTENT), access="UPDATE"
    )
    if isinstance(function, RunLambdaRule) and hasattr(function, "message_bucket"):
        case.assert_role_may(function, "s3:PutObject", f"arn:aws:s3:::{case.bucket_name(function)}/{_ANY}", "UPDATE")


def _assert_content_rights(
    template: AnyTemplate,
    function: FunctionOfTest,
    organization: OrganizationOfTest | None,
    direction: FlowDirection | None,
    *,
    actions: tuple[str, ...],
    access: str,
) -> _Case:
    case = _Case.of(template, function, organization)
    if direction is None and isinstance(function, RunLambdaRule):
        direction = function.direction
    if direction is None:
        raise ValueError(
            "direction: found none; give FlowDirection.INBOUND or OUTBOUND, or a RunLambdaRule as function"
        )
    direction = FlowDirection(direction)
    for action in actions:
        case.assert_role_may(function, action, case.messages(direction, _ANY), access, pattern=case.messages(direction))
        others = case.messages(direction, _ANY, organization_id=case.other_organization_id)
        role, reason, allowed = case.role_access(function, action, others)
        if allowed:
            raise _failure(
                f"{role} may do {action} on the messages of other organizations",
                reason,
                f"a statement that allows {action} on {case.messages(direction)} (C3)",
                f"name the organization in the statement, or use RunLambdaRule with ContentAccess.{access}",
            )
    return case


@dataclass(frozen=True, slots=True)
class _Case:
    """A template's policies, with the organization that they are asked about."""

    policies: TemplatePolicies
    organization_arn: str
    home: Stack | None
    """The stack whose template it is, if that is known."""

    @classmethod
    def of(cls, template: AnyTemplate, subject: object, organization: OrganizationOfTest | None) -> _Case:
        if organization is None and isinstance(subject, RunLambdaRule):
            organization = subject.organization
        if organization is None:
            raise ValueError(
                "organization: found none; give a WorkMailOrganization or its ARN, or a RunLambdaRule, which has one"
            )
        made, home = template_json(template), template if isinstance(template, Stack) else None
        written: Any = (
            {"Fn::Sub": organization}
            if isinstance(organization, str)
            else (home or Stack.of(organization)).resolve(organization.organization_arn)
        )
        values = {}
        match written:
            case {"Ref": str(name)}:  # a parameter that holds the whole ARN
                values[name] = arn_of_organization(name, region="REGION", account="ACCOUNT")
        arn = TemplatePolicies(made, region="REGION", account="ACCOUNT", values=values).text(written)
        _, _, service, region, account, _ = arn_parts(arn)
        if service != "workmail" or "organization/" not in arn:
            raise ValueError(
                f"organization: found {organization!r}; give a WorkMailOrganization or an ARN such as "
                f"{arn_of_organization('m-…', region='eu-west-1', account='111122223333')} (L3)"
            )
        return cls(TemplatePolicies(made, region=region, account=account, values=values), arn, home)

    @property
    def region(self) -> str:
        return arn_parts(self.organization_arn)[3]

    @property
    def account(self) -> str:
        return arn_parts(self.organization_arn)[4]

    @property
    def organization_id(self) -> str:
        return self.organization_arn.rpartition("/")[2]

    @property
    def principal(self) -> str:
        return workmail_principal(self.region)

    @property
    def other_organization_id(self) -> str:
        """An id that differs in its last digit, so that a wildcard anywhere before it shows."""
        return self.organization_id[:-1] + ("1" if self.organization_id.endswith("0") else "0")

    @property
    def other_organization_arn(self) -> str:
        return arn_of_organization(self.other_organization_id, region=self.region, account=self.account)

    def messages(
        self, direction: FlowDirection | None = None, message_id: str = "*", *, organization_id: str | None = None
    ) -> str:
        return message_arn(
            organization_id or self.organization_id,
            region=self.region,
            account=self.account,
            direction=direction,
            message_id=message_id,
        )

    def others(self, direction: FlowDirection) -> dict[str, dict[str, str]]:
        """Return requests that the conditions of C5 keep out, each by the one condition key that differs."""
        messages_of_another = self.messages(direction, _ANY, organization_id=self.other_organization_id)
        return {
            "other organizations: aws:SourceArn does not keep them out": {"aws:SourceArn": messages_of_another},
            "other accounts: aws:SourceAccount does not keep them out": {"aws:SourceAccount": _OTHER_ACCOUNT},
            "requests without TLS: aws:SecureTransport does not keep them out": {"aws:SecureTransport": "false"},
        }

    def function_arn(self, function: FunctionOfTest) -> str:
        made = self.policies.function_arns()
        if isinstance(function, str):
            if function in made:
                return made[function]
            if function.startswith("arn:"):
                return function
            raise ValueError(
                f"function: found {function!r}; give a rule, a function, an ARN, or a logical id of the template, "
                f"which has {', '.join(made) or 'no function'}"
            )
        function = function.function if isinstance(function, RunLambdaRule) else function
        return self.policies.arn_of_function(self._text(function, function.function_arn))

    def bucket_name(self, bucket: BucketOfTest) -> str:
        made = self.policies.bucket_names()
        if isinstance(bucket, str):
            if bucket in made or bucket in made.values() or self.policies.bucket_statements(bucket):
                return made.get(bucket, bucket)
            raise ValueError(
                f"bucket: found {bucket!r}; give a rule, a bucket, or a name or logical id of the template, which has "
                f"{', '.join(made) or 'no bucket'}"
            )
        if isinstance(bucket, RunLambdaRule):
            if not hasattr(bucket, "message_bucket"):
                raise ValueError(
                    f"bucket: found the rule {bucket.node.path}, which has none; give a bucket, or a rule with "
                    "ContentAccess.UPDATE"
                )
            bucket = bucket.message_bucket
        return self._text(bucket, bucket.bucket_name)

    def role_access(self, function: FunctionOfTest, action: str, resource: str) -> tuple[str, str, bool]:
        """Return the function's role, whether it may do the action on the resource, and what decides."""
        arn = self.function_arn(function)
        role = self.policies.role_of_function(arn)
        if role is None:
            raise ValueError(
                f"function: found {arn}, which the template does not make; give the template of the stack that makes it"
            )
        statements = self.policies.role_statements(role)
        access = may_role({role: statements}, role_arn=role, action=action, resource=resource, region=self.region)
        return role, access.reason, access.allowed

    def assert_role_may(
        self, function: FunctionOfTest, action: str, resource: str, access: str, *, pattern: str | None = None
    ) -> None:
        role, reason, allowed = self.role_access(function, action, resource)
        if not allowed:
            raise _failure(
                f"{role} may not do {action}",
                reason,
                f"a statement that allows {action} on {pattern or resource.removesuffix(_ANY) + '*'}",
                f"declare the rule with ContentAccess.{access}, or add the statement to the role",
            )

    def _text(self, construct: IConstruct, token: str) -> str:
        return self.policies.text((self.home or Stack.of(construct)).resolve(token))


def _failure(what: str, found: str, needed: str, remedy: str) -> AssertionError:
    return AssertionError(f"{what}\n  found: {found}\n  needed: {needed}\n  what to do: {remedy}")
