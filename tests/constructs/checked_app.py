"""An app with each kind of rule, synthesized with CDK's own template validation and cdk-nag."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from aws_cdk import App, Stack, Validations
from aws_cdk.aws_iam import Role, ServicePrincipal
from aws_cdk.aws_kms import Key
from aws_cdk.aws_lambda import Alias
from aws_cdk.aws_s3 import Bucket
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from tests.constructs.stacks import HERE, ORGANIZATION_ID, new_function, new_rule
from tests.constructs.steps.rules import new_rule_of
from workmail_constructs import ContentAccess, FlowRuleOperatorPolicy, Run, WorkMailOrganization
from workmail_constructs.steps.allow_or_block import AllowOrBlock
from workmail_constructs.steps.filter_by_header import FilterByHeader
from workmail_constructs.steps.save_message import SaveMessage


def build(outdir: str) -> App:
    """Declare one stack for each kind of rule."""
    app = App(outdir=outdir)
    new_rule(Stack(app, "Agnostic"), content_access=ContentAccess.READ)
    new_rule(Stack(app, "Plain", env=HERE))
    new_rule(Stack(app, "Read", env=HERE), content_access=ContentAccess.READ)
    new_rule(Stack(app, "Update", env=HERE), content_access=ContentAccess.UPDATE)
    new_rule(Stack(app, "Asynchronous", env=HERE), run=Run.asynchronous())
    encrypted = Stack(app, "Encrypted", env=HERE)
    new_rule(
        encrypted, content_access=ContentAccess.UPDATE, message_key=Key(encrypted, "Key", enable_key_rotation=True)
    )
    for name, env in (("Alias", HERE), ("AgnosticAlias", None)):
        looked_up = Stack(app, name, env=env)
        new_rule(looked_up, organization=WorkMailOrganization.from_alias(looked_up, "Organization", "acme"))
    existing = Stack(app, "Existing", env=HERE)
    role = Role(existing, "UsersRole", assumed_by=ServicePrincipal("lambda.amazonaws.com"))
    alias = Alias(existing, "Live", alias_name="live", version=new_function(existing, role=role).current_version)
    new_rule(existing, function=alias, content_access=ContentAccess.READ)
    operator = Stack(app, "Operator", env=HERE)
    organization = WorkMailOrganization.from_organization_id(operator, "Organization", ORGANIZATION_ID)
    FlowRuleOperatorPolicy(operator, "Operator", organization=organization)
    filters = Stack(app, "Filters", env=HERE)
    saved = Bucket.from_bucket_name(filters, "Archive", "archive")
    new_rule_of(filters, SaveMessage(saved), AllowOrBlock(), FilterByHeader("X-Spam", "YES"))
    return app


def synthesize(outdir: Path) -> Path:
    """Synthesize the app in another process, since CDK runs without its validation in this one."""
    subprocess.run(
        [sys.executable, "-m", "tests.constructs.checked_app", str(outdir)],
        cwd=Path(__file__).parents[2],
        env={name: value for name, value in os.environ.items() if name != "CDK_VALIDATION"},
        check=False,  # cdk-nag fails the synth for accepted findings too
        capture_output=True,
    )
    return outdir


if __name__ == "__main__":
    app = build(sys.argv[1])
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), NIST80053R5Checks(app))
    app.synth()
