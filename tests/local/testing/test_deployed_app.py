"""The whole path: an example's stack through the real CDK CLI, real messages through its rule."""

from __future__ import annotations

import json
import re
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from workmail_constructs.declared_rules import from_deployed_stack
from workmail_local.deployment import load_deployments
from workmail_local.testing.workmail_local import WorkMailLocal

pytestmark = pytest.mark.xdist_group("deployed-app")

ALIAS_APP = Path(__file__).parent / "alias_app"
EXAMPLE = Path(__file__).parents[3] / "examples" / "hello_world"


@pytest.mark.fact("L4", "C1", "C3", "R1", "R4")
def test_the_deployed_rule_decides_with_the_deployed_rights_after_a_restart_as_well(tmp_path: Path) -> None:
    with WorkMailLocal.running(tmp_path) as local:
        local.deploy_app(EXAMPLE)
        plain = local.send(EXAMPLE / "messages" / "plain.eml")
        rules = local.daemon.client.get("/v1/rules")
    assert plain.succeeded, plain.attempts
    assert plain.actions == {
        "alice@example.com": "DEFAULT",
        "bob@example.com": "DEFAULT",
        "no-reply@example.com": "DROP",
    }
    with WorkMailLocal.running(tmp_path) as local:
        assert local.daemon.client.get("/v1/rules") == rules
        attachment = local.send(EXAMPLE / "messages" / "attachment.eml")
        assert (attachment.succeeded, set(attachment.actions.values())) == (True, {"BOUNCE"})
        assert "We take no programs by mail" in local.outbound()[0].get_body(("plain",)).get_content()


STRICT_APP = """
import os
os.umask(0o077)
from aws_cdk import App, Stack
from workmail_constructs import FallbackAction, FlowDirection, RuleCode, Run, RunLambdaRule, WorkMailOrganization
app = App()
stack = Stack(app, "Strict")
organization = WorkMailOrganization.from_organization_id(stack, "Organization", "m-0123456789abcdef0123456789abcdef")
run = Run.synchronous(fallback=FallbackAction.DEFAULT)
code = RuleCode.from_folder("handler", include=["../shared"])
RunLambdaRule(stack, "Rule", organization=organization, direction=FlowDirection.INBOUND, code=code, run=run)
app.synth()
"""


def test_lambda_can_read_the_zip_of_an_app_that_runs_under_a_strict_umask(tmp_path: Path) -> None:
    app = tmp_path / "app"
    (app / "handler").mkdir(parents=True)
    (app / "shared").mkdir()
    (app / "app.py").write_text(STRICT_APP)
    (app / "cdk.json").write_text(json.dumps({"app": f"{sys.executable} app.py"}))
    (app / "handler" / "app.py").write_text("from shared.reply import handler\n")
    (app / "shared" / "reply.py").write_text("def handler(event, context): return {'actions': []}\n")
    (app / "shared" / "tool").write_text("#!/bin/sh\n")
    (app / "shared" / "tool").chmod(0o700)
    with WorkMailLocal.running(tmp_path / "state") as local:
        local.deploy_app(app)
        plain = local.send(EXAMPLE / "messages" / "plain.eml")
        (deployment,) = load_deployments(local.state)
    assert plain.succeeded, plain.attempts
    (function,) = deployment.functions.values()
    entries = zipfile.ZipFile(function.code).infolist()
    modes = {entry.filename: stat.S_IMODE(entry.external_attr >> 16) for entry in entries}
    assert modes.pop("shared/tool") == 0o755
    assert {"app.py", "shared/reply.py", "workmail_runtime/event.py"} <= modes.keys()
    assert set(modes.values()) == {0o644}


@pytest.mark.fact("L3", "L4", "L8")
def test_rules_of_an_organization_by_alias_run_in_each_stack_after_a_restart_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = (EXAMPLE / "messages" / "plain.eml").read_bytes()
    rule_of = {"example.net": "Own", "nested.example": "Nested", "other.example": "Other"}

    def rules_that_ran(local: WorkMailLocal) -> dict[str, str | None]:
        sent = {domain: local.send(message.replace(b"example.net", domain.encode())) for domain in rule_of}
        assert [each.succeeded for each in sent.values()] == [True] * len(sent)
        return {domain: each.outcomes[0].rule for domain, each in sent.items()}

    with WorkMailLocal.running(tmp_path) as local:
        local.deploy_app(ALIAS_APP)
        assert rules_that_ran(local) == rule_of
        (declared,) = local.daemon.client.get("/v1/rules")["organizations"]
        for name, value in local.daemon.aws_environment.items():
            monkeypatch.setenv(name, value)
        # The other stack imports the id, which its own values do not show.
        named = {name: [each.organization_id for each in from_deployed_stack(name)] for name in ("Mail", "Other")}
    assert named == {"Mail": [declared["organizationId"]], "Other": ["acme"]}
    assert re.fullmatch("m-[0-9a-f]{32}", declared["organizationId"])
    with WorkMailLocal.running(tmp_path) as local:
        assert local.daemon.client.get("/v1/rules")["organizations"] == [declared]
        assert rules_that_ran(local) == rule_of
