"""The email flow rules that a stack declares: collected, checked, kept with the template, and written to a runbook."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NotRequired, TypedDict, Unpack
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import Annotations, CfnOutput, CfnWaitConditionHandle, IAnyProducer, IResolveContext, Lazy, Stack, Stage
from constructs import Construct, IConstruct

from workmail_constructs.app_synthesis import AppSynthesis, AtSynth
from workmail_constructs.declared_rules import place_of_value
from workmail_constructs.included_templates import clashes, describe_output, warn_of_included_rules
from workmail_constructs.problems import ACKNOWLEDGE_PREFIX
from workmail_constructs.stack_record import StackRecord, is_known
from workmail_flow.flow_rule import FlowRule
from workmail_flow.lint import MAX_NAMED, Severity, lint
from workmail_flow.rule_set import RuleSet
from workmail_flow.runbook import runbook
from workmail_flow.stack_output import StackOutput
from workmail_flow.template import METADATA_KEY, DeclaredRules, rules_metadata, spell_intrinsic
from workmail_flow.vocabulary import FlowDirection, RuleAction
from workmail_flow.words import one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from workmail_constructs.organization import WorkMailOrganization
    from workmail_flow.lint import LintFinding
    from workmail_flow.words import AnyDirection

RUNBOOK_SUFFIX: Final = ".email-flow-rules.md"
"""The end of a runbook's file name in the cloud assembly, after the stack's artifact id."""

CONSTRUCT_ID: Final = "workmail-constructs"
"""The id of what we make directly in a user's stack; one that no user chooses by chance."""


class Matching(TypedDict):
    """The arguments that all kinds of rules share: which mail a rule is for, and in which organization."""

    organization: WorkMailOrganization
    """The organization the rule is to be created in."""
    senders: Sequence[str]
    """Patterns (F4), at most 250: `mary@example.com`, `example.com`, `*.example.com` or `*`."""
    destinations: Sequence[str]
    """Patterns of the same kinds."""
    description: NotRequired[str | None]
    """What the rule is for, in one line, for the runbook."""
    owner: NotRequired[str | None]
    """Whom to ask about the rule, in one line, for the runbook; by default it names the stack."""
    acknowledge: NotRequired[Mapping[str, str]]
    """The lint findings to accept for this rule: each code with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A rule, and who declares it."""

    rule: FlowRule
    organization: WorkMailOrganization
    scope: IConstruct
    record: StackRecord
    function_arn_output: CfnOutput | None


class EmailFlowRules(Construct):
    """The email flow rules of one stack, for every organization it declares rules for.

    No API creates email flow rules (L7): a person types them in the console. Here an app declares them, with the
    functions they run. At synth the rules of each organization, from all stacks of the app, are linted together; each
    finding is an annotation of the stacks that declare its rules. The stack's template keeps its rules as metadata, and
    the cloud assembly gets a runbook, `ARTIFACT.email-flow-rules.md`, which says what to type.

    `RunLambdaRule` declares its rule itself; the methods here declare the rules that run no function. Each returns its
    rule. A rule that WorkMail would not take raises `RuleError`, which names every problem.
    """

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, CONSTRUCT_ID)
        self._record = StackRecord.of(stack)
        self._of_app = self._record.app.declarations
        self._checked: int | None = None
        self._reported: set[str] = set()
        self._placeholder: CfnWaitConditionHandle | None = None
        stack.add_metadata(METADATA_KEY, Lazy.uncached_any(_Metadata(self._declared)))
        node = self.node
        node.add_validation(AtSynth(self._validate))
        self._app_synthesis = AppSynthesis.of(node.root)
        self._app_synthesis.then(self._check_again)

    @classmethod
    def of(cls, scope: IConstruct) -> EmailFlowRules:
        """Return the email flow rules of the stack that `scope` is, or is in."""
        record = StackRecord.of(scope)
        if record.email_flow_rules is None:
            record.email_flow_rules = cls(record.stack)
        return record.email_flow_rules

    def drop(self, name: str, *, direction: AnyDirection, **matching: Unpack[Matching]) -> FlowRule:
        """Declare that nobody gets the mail, and its sender gets no notice."""
        return self._declare(RuleAction.DROP, name, direction, matching)

    def bounce(self, name: str, *, direction: AnyDirection, **matching: Unpack[Matching]) -> FlowRule:
        """Declare that nobody gets the mail, and its sender gets a bounce message."""
        return self._declare(RuleAction.BOUNCE, name, direction, matching)

    def default(self, name: str, *, direction: AnyDirection, **matching: Unpack[Matching]) -> FlowRule:
        """Declare that the mail is delivered as usual; this is an exception to a broader rule (F11)."""
        return self._declare(RuleAction.DEFAULT, name, direction, matching)

    def move_to_junk(self, name: str, **matching: Unpack[Matching]) -> FlowRule:
        """Declare that inbound mail goes to the junk folder."""
        return self._declare(RuleAction.MOVE_TO_JUNK, name, FlowDirection.INBOUND, matching)

    def bypass_spam_check(self, name: str, **matching: Unpack[Matching]) -> FlowRule:
        """Declare that inbound mail never goes to the junk folder."""
        return self._declare(RuleAction.BYPASS_SPAM_CHECK, name, FlowDirection.INBOUND, matching)

    def route_to_smtp_gateway(self, name: str, *, gateway: str, **matching: Unpack[Matching]) -> FlowRule:
        """Declare that outbound mail leaves through the organization's SMTP gateway named `gateway`."""
        return self._declare(
            RuleAction.ROUTE_TO_SMTP_GATEWAY, name, FlowDirection.OUTBOUND, matching, smtp_gateway=gateway
        )

    def add(
        self,
        rule: FlowRule,
        *,
        organization: WorkMailOrganization,
        scope: IConstruct,
        function_arn_output: CfnOutput | None = None,
    ) -> None:
        """Declare a rule that exists already.

        Args:
            rule: The rule; the ARN of its function may be a token.
            organization: The organization the rule is to be created in.
            scope: The construct that declares the rule; messages name its path.
            function_arn_output: The output that shows the function's ARN once the stack is deployed.
        """
        # Nothing here calls into CDK: a stack may have hundreds of rules, and a call costs as much as a resource.
        self._record.app.declare(
            Declaration(
                rule=rule,
                organization=organization,
                scope=scope,
                record=self._record,
                function_arn_output=function_arn_output,
            )
        )

    def keep_deployable(self) -> None:
        """Give the stack a resource, which does nothing: it may have rules and outputs only.

        CloudFormation takes no nested stack without resources, and the CDK CLI deletes such a stack.
        """
        if self._placeholder is None:
            self._placeholder = CfnWaitConditionHandle(self, "Placeholder")

    def rule_set(self, organization: WorkMailOrganization) -> RuleSet:
        """Return the rules that this stack has declared for an organization; a test can ask them who gets what."""
        return RuleSet(made.rule for made in self._declarations() if _same(made.organization, organization))

    def _declare(
        self,
        action: RuleAction,
        name: str,
        direction: AnyDirection,
        matching: Matching,
        *,
        smtp_gateway: str | None = None,
    ) -> FlowRule:
        rule = flow_rule(
            name,
            action,
            direction=direction,
            senders=matching["senders"],
            destinations=matching["destinations"],
            description=matching.get("description"),
            owner=matching.get("owner"),
            acknowledge=dict(matching.get("acknowledge", {})),
            smtpGateway=smtp_gateway,
        )
        self.add(rule, organization=matching["organization"], scope=self._record.stack)
        return rule

    def _declarations(self) -> Iterator[Declaration]:
        return (made for made in self._of_app if made.record is self._record)

    def _declared(self) -> list[DeclaredRules]:
        return [
            DeclaredRules(
                organization_id=organization.organization_id,
                organization_arn=organization.organization_arn,
                organization_alias=organization.alias,
                domains=tuple(organization.domains),
                rules=RuleSet(
                    _with_owner(made) for made in self._declarations() if _same(made.organization, organization)
                ),
            )
            for organization in _organizations(self._declarations())
        ]

    def _validate(self) -> list[str]:
        for check in self._record.checks:
            check()
        return self._check()

    def _check(self) -> list[str]:
        self._checked = len(self._of_app)
        self._lint()
        self._write_runbook()
        return clashes(self._record.stack)

    def _check_again(self) -> None:
        """Check once more if rules were declared since: a pipeline's first stage is written before its second is made.

        A stack of no stage has not been checked by then, and sees all rules the first time.
        """
        if self._of_app and self._of_app[0].record is self._record:
            warn_of_included_rules(self.node.root)
        if self._checked in (None, len(self._of_app)):
            return
        reported = len(self._reported)
        self._check()
        if len(self._reported) > reported:
            self._app_synthesis.write_again(self)

    def _lint(self) -> None:
        for organization in _organizations(self._declarations()):
            of_organization = [made for made in self._of_app if _same(made.organization, organization)]
            own = {made.rule.name for made in of_organization if made.record is self._record}
            domains = {domain for made in of_organization for domain in made.organization.domains}
            for finding in lint(RuleSet(made.rule for made in of_organization), organization_domains=domains):
                if finding.acknowledged is None and (not finding.rules or own.intersection(finding.rules)):
                    self._report(finding, of_organization)

    def _report(self, finding: LintFinding, declarations: Sequence[Declaration]) -> None:
        where = sorted({made.scope.node.path for made in declarations if made.rule.name in finding.rules})
        more = f" and {len(where) - MAX_NAMED} more places" if len(where) > MAX_NAMED else ""
        declared = f" Declared at {', '.join(where[:MAX_NAMED])}{more}." if where else ""
        message = f"{finding.message} {finding.remedy}{declared}"
        if message in self._reported:
            return
        self._reported.add(message)
        # Several stacks nested in it may report the same finding: CDK keeps one.
        stack = self._record.top_level.stack
        annotations = Annotations.of(stack)
        match finding.severity:
            case Severity.ERROR:
                annotations.add_error(f"{message} [{finding.code}]")
                self._app_synthesis.write_again(stack)
            case Severity.WARNING:
                annotations.add_warning_v2(ACKNOWLEDGE_PREFIX + finding.code, message)
            case Severity.INFO:
                annotations.add_info_v2(ACKNOWLEDGE_PREFIX + finding.code, message)

    def _write_runbook(self) -> None:
        """Write what to type for each organization that this stack or a stack nested in it has rules for.

        It has the organization's rules of all stacks, since the order in which rules are created matters.
        """
        top = self._record.top_level
        chapters = [
            _chapter([made for made in self._of_app if _same(made.organization, organization)])
            for organization in _organizations(made for made in self._of_app if made.record.top_level is top)
        ]
        if not chapters:  # the stack has a guard for something else, such as an event log
            return
        stage = Stage.of(top.stack)
        assert stage is not None, "CDK puts every stack in a stage"  # noqa: S101
        file = Path(stage.outdir, f"{top.stack.artifact_id}{RUNBOOK_SUFFIX}")
        file.write_text("\n".join(chapters), encoding="utf-8")


def flow_rule(
    name: str,
    action: RuleAction,
    *,
    direction: AnyDirection,
    senders: Sequence[str],
    destinations: Sequence[str],
    **more: object,
) -> FlowRule:
    """Return the rule that these arguments describe, with `more` keys of its entry in a rule file.

    Raises:
        RuleError: WorkMail would not take the rule; every problem is named.
        ValueError: There is no such direction.
        TypeError: One string where a list of patterns is needed.
    """
    for argument, patterns in (("senders", senders), ("destinations", destinations)):
        if isinstance(patterns, str):
            raise TypeError(f"{argument}: found the string {patterns!r}; give a list of patterns: [{patterns!r}]")
    matching = {
        "direction": one_of(FlowDirection, direction, argument="direction").lower(),
        "senders": list(senders),
        "destinations": list(destinations),
    }
    return FlowRule.from_json({"name": name, "action": action.value, **matching, **more})


def function_arn_output(scope: Construct, record: StackRecord, rule: FlowRule) -> CfnOutput:
    """Make the output that shows the ARN of a rule's function to whoever types the rule.

    For a rule in a nested stack it belongs to the stack around, since only that one's outputs are shown by the CDK CLI.
    """
    top = record.top_level
    description = describe_output(rule)
    arn = rule.function or ""
    own = CfnOutput(scope, "FunctionArn", value=arn, description=description)
    if top is record:
        return own
    # The nested stack keeps an output of its own: without it a function of another stack would not be known to its
    # template, whose metadata names the function.
    where = scope.node.path.removeprefix(f"{top.stack.node.path}/")
    return CfnOutput(EmailFlowRules.of(top.stack), f"{where}FunctionArn", value=arn, description=description)


def _same(one: WorkMailOrganization, other: WorkMailOrganization) -> bool:
    return one.key == other.key


def _organizations(declarations: Iterable[Declaration]) -> list[WorkMailOrganization]:
    """Return the organizations that rules are declared for, in the order of their first rules."""
    return list({made.organization.key: made.organization for made in declarations}.values())


def _chapter(declarations: Sequence[Declaration]) -> str:
    first = declarations[0]
    rules = RuleSet(
        replace(_with_owner(made), function=_function_to_type(made)) if made.rule.function else _with_owner(made)
        for made in declarations
    )
    organization, stack = first.organization, first.record.stack
    stacks = dict.fromkeys(made.record.top_level for made in declarations)
    # The console lists organizations by their aliases too.
    named = organization.alias or organization.organization_id
    alias = None if organization.alias is None else spell_intrinsic(stack.resolve(organization.alias))
    arns = {made.organization.organization_arn: made.record for made in declarations}
    # A stack without an environment leaves to the deployment what another stack may know.
    arn, record = next(((arn, record) for arn, record in arns.items() if is_known(arn)), next(iter(arns.items())))
    return runbook(
        DeclaredRules(
            organization_id=spell_intrinsic(stack.resolve(named)),
            organization_arn=spell_intrinsic(record.stack.resolve(arn)),
            organization_alias=alias,
            domains=tuple(dict.fromkeys(each for made in declarations for each in made.organization.domains)),
            rules=rules,
            stacks=tuple(record.stack.stack_name for record in stacks),
        )
    )


def _with_owner(declaration: Declaration) -> FlowRule:
    """Return the rule with whom to ask about it: the construct that declares it, unless somebody is named."""
    rule, scope = declaration.rule, declaration.scope
    if rule.owner:
        return rule
    path = _PATHS.get(scope) or _PATHS.setdefault(scope, scope.node.path)
    return replace(rule, owner=f"whoever maintains {path} in the CDK app")


_PATHS: Final[WeakKeyDictionary[IConstruct, str]] = WeakKeyDictionary()
"""Paths of constructs that declare rules: asked for once, since each costs two calls into Node.js."""


def _function_to_type(declaration: Declaration) -> str:
    """Return the function's ARN, or say where to find it if only the deployment decides it."""
    stack = declaration.record.stack
    arn: object = stack.resolve(declaration.rule.function)
    if isinstance(arn, str):
        return arn
    stack_name = declaration.record.top_level.stack.stack_name
    output = declaration.function_arn_output
    if output is None:
        return place_of_value(arn, stack_name)
    return str(StackOutput(stack.resolve(output.logical_id), stack_name))


@jsii.implements(IAnyProducer)
class _Metadata:
    """Gives a template its rules when CDK writes it, so that it has those declared last, too."""

    def __init__(self, declared: Callable[[], Sequence[DeclaredRules]]) -> None:
        self._declared = declared

    def produce(self, context: IResolveContext) -> object:
        declared = self._declared()
        return rules_metadata(declared) if declared else None
