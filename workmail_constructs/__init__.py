"""AWS CDK constructs for Amazon WorkMail Run Lambda email flow rules.

A name is loaded when it is first used, so that the light parts of this package run without aws_cdk.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from workmail_constructs.assets import PackingError
    from workmail_constructs.content_access import ContentAccess
    from workmail_constructs.email_flow_rules import EmailFlowRules
    from workmail_constructs.flow_rule_operator_policy import FlowRuleOperatorPolicy
    from workmail_constructs.organization import WorkMailOrganization
    from workmail_constructs.powertools import Powertools
    from workmail_constructs.rule_code import RuleCode
    from workmail_constructs.run import FallbackAction, Run
    from workmail_constructs.run_lambda_rule import RunLambdaRule
    from workmail_constructs.watching.email_event_logging import EmailEventLogging
    from workmail_constructs.watching.workmail_dashboard import WorkMailDashboard
    from workmail_constructs.workmail_permission_checks import WorkMailPermissionChecks
    from workmail_flow.rule_problems import RuleError
    from workmail_flow.vocabulary import FlowDirection

__all__ = [
    "ContentAccess",
    "EmailEventLogging",
    "EmailFlowRules",
    "FallbackAction",
    "FlowDirection",
    "FlowRuleOperatorPolicy",
    "PackingError",
    "Powertools",
    "RuleCode",
    "RuleError",
    "Run",
    "RunLambdaRule",
    "WorkMailDashboard",
    "WorkMailOrganization",
    "WorkMailPermissionChecks",
]

_MODULE_OF: Final = {
    "ContentAccess": "workmail_constructs.content_access",
    "EmailEventLogging": "workmail_constructs.watching.email_event_logging",
    "EmailFlowRules": "workmail_constructs.email_flow_rules",
    "FallbackAction": "workmail_constructs.run",
    "FlowDirection": "workmail_flow.vocabulary",
    "FlowRuleOperatorPolicy": "workmail_constructs.flow_rule_operator_policy",
    "PackingError": "workmail_constructs.assets",
    "Powertools": "workmail_constructs.powertools",
    "RuleCode": "workmail_constructs.rule_code",
    "RuleError": "workmail_flow.rule_problems",
    "Run": "workmail_constructs.run",
    "RunLambdaRule": "workmail_constructs.run_lambda_rule",
    "WorkMailDashboard": "workmail_constructs.watching.workmail_dashboard",
    "WorkMailOrganization": "workmail_constructs.organization",
    "WorkMailPermissionChecks": "workmail_constructs.workmail_permission_checks",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use (PEP 562)."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__]
