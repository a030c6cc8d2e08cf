"""An app with each kind of rule, synthesized with CDK's own template validation and cdk-nag; run by test_checks."""

from __future__ import annotations

import sys

from aws_cdk import App, Stack, Validations
from aws_cdk.aws_iam import Role, ServicePrincipal
from aws_cdk.aws_kms import Key
from aws_cdk.aws_lambda import Alias
from cdk_nag import AwsSolutionsChecks

from tests.constructs.stacks import HERE, new_function, new_rule
from workmail_constructs import ContentAccess, Run, WorkMailOrganization


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
    return app


if __name__ == "__main__":
    app = build(sys.argv[1])
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()
