"""The whole path: an example's stack through the real CDK CLI, real messages through its rule."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from workmail_constructs.cli.rules import app as rules
from workmail_constructs.declared_rules import from_deployed_stack
from workmail_local.aws.cdk import find_cdk_cli
from workmail_local.deployment import load_deployments
from workmail_local.testing.workmail_local import WorkMailLocal

if TYPE_CHECKING:
    from workmail_local.testing.workmail_local import SentMessage

pytestmark = pytest.mark.xdist_group("deployed-app")

ALIAS_APP = Path(__file__).parent / "alias_app"
FUNCTIONS_APP = Path(__file__).parent / "functions_app"
EXAMPLE = Path(__file__).parents[3] / "examples" / "hello_world"


@pytest.mark.fact("L4", "C1", "C3", "R1", "R4")
def test_the_deployed_rule_decides_with_the_deployed_rights_after_a_restart_as_well(tmp_path: Path) -> None:
    with WorkMailLocal.running(tmp_path) as local:
        local.deploy_app(EXAMPLE)
        plain = local.send(EXAMPLE / "messages" / "plain.eml")
        rules = local.daemon.client.get("/v1/rules")
        addresses = {name: local.daemon.ready[name] for name in ("smtp", "submission", "api", "aws_endpoint")}
        inbox = local.inbox("alice@example.com")
    assert plain.succeeded, plain.attempts
    assert [message["Subject"] for message in inbox] == [plain.message["Subject"]]
    assert plain.actions == {
        "alice@example.com": "DEFAULT",
        "bob@example.com": "DEFAULT",
        "no-reply@example.com": "DROP",
    }
    with WorkMailLocal.running(tmp_path) as local:
        assert local.daemon.client.get("/v1/rules") == rules
        assert local.daemon.ready | addresses == local.daemon.ready
        attachment = local.send(EXAMPLE / "messages" / "attachment.eml")
        assert (attachment.succeeded, set(attachment.actions.values())) == (True, {"BOUNCE"})
        assert "We take no programs by mail" in local.outbound()[0].get_body(("plain",)).get_content()


def _use(local: WorkMailLocal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let boto3 take the local AWS by the environment, as a user's shell would."""
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials of an earlier run
    for name, value in local.daemon.aws_environment().items():
        monkeypatch.setenv(name, value)


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
        _use(local, monkeypatch)
        # The other stack imports the id, which its own values do not show.
        named = {name: [each.organization_id for each in from_deployed_stack(name)] for name in ("Mail", "Other")}
    assert named == {"Mail": [declared["organizationId"]], "Other": ["acme"]}
    assert re.fullmatch("m-[0-9a-f]{32}", declared["organizationId"])
    with WorkMailLocal.running(tmp_path) as local:
        assert local.daemon.client.get("/v1/rules")["organizations"] == [declared]
        assert rules_that_ran(local) == rule_of


@pytest.mark.fact("L4", "C1", "C3", "C5", "T4", "F13")
def test_aliases_shared_functions_and_given_roles_run_as_deployed_and_a_deployment_moves_the_alias(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = shutil.copytree(FUNCTIONS_APP, tmp_path / "app")
    cdk = find_cdk_cli(app, f"{Path(__file__).parents[3]}/node_modules/.bin:{os.environ['PATH']}")
    message = (EXAMPLE / "messages" / "plain.eml").read_bytes()

    def sent(local: WorkMailLocal, rule: str, *, sender: str = "", **options: Any) -> SentMessage:
        sender = sender or f"carol@{rule.lower()}.example"
        found = local.send(message.replace(b"carol@example.net", sender.encode()), **options)
        assert {outcome.rule for outcome in found.outcomes} == {rule}
        return found

    def notices(local: WorkMailLocal) -> dict[str, str]:
        """The notice and the version in the subject that each updating rule delivers."""
        updated = {rule: sent(local, rule) for rule in ("Alias", "Inbound")}
        updated["Outbound"] = sent(
            local, "Outbound", sender="alice@example.com", direction="outbound", rcpt=["dave@example.org"]
        )
        assert [each.attempts for each in updated.values() if not each.succeeded] == []
        return {rule: each.message["Subject"].removesuffix(" Agenda for Thursday") for rule, each in updated.items()}

    def failure_record(message: SentMessage) -> dict[str, Any]:
        (flow,) = message.detail["flows"]
        return flow["failureRecord"]

    def difference(assembly: Path) -> Result:
        return CliRunner().invoke(rules, ["diff", "--stack", "Rules", str(assembly)])

    with WorkMailLocal.running(tmp_path / "state") as local:
        local.deploy_app(app)
        assert notices(local) == {"Alias": "first 1", "Inbound": "first $LATEST", "Outbound": "first $LATEST"}
        assert sent(local, "Beside").succeeded
        with_given_role = sent(local, "Role")
        assert "3.12 read " in with_given_role.logs, with_given_role.attempts

        failing = sent(local, "Failing")
        assert len(failing.attempts) == 1
        sqs = local.client("sqs")
        url = sqs.get_queue_url(QueueName=failure_record(failing)["destination"].rpartition(":")[2])["QueueUrl"]
        (queued,) = sqs.receive_message(QueueUrl=url)["Messages"]
        record = json.loads(queued["Body"])
        assert record["requestContext"]["functionArn"].endswith(":live")
        assert record["requestContext"]["condition"] == "RetriesExhausted"
        assert record["responseContext"]["executedVersion"] == "1"
        denied = failure_record(sent(local, "Denied"))
        assert denied["record"]["requestContext"]["condition"] == "EventAgeExceeded"
        assert "role/read-only is not deployed here" in denied["prevented"]

        (app / "shared" / "notice.py").write_text('NOTICE = "second"\n')
        local.deploy_app(app)
        assert notices(local) == {"Alias": "second 2", "Inbound": "second $LATEST", "Outbound": "second $LATEST"}
        versions = local.client("lambda").list_versions_by_function(FunctionName="mail-notice")["Versions"]
        code = {version["Version"]: version["CodeSha256"] for version in versions}
        assert code["1"] != code["2"] == code["$LATEST"]

        _use(local, monkeypatch)
        runbook = CliRunner().invoke(rules, ["runbook", "--stack", "Rules"])
        assert "`arn:aws:lambda:us-east-1:123456789012:function:mail-notice:live`" in runbook.stdout
        same = difference(local.state / "cdk.out")
        assert (same.exit_code, same.stdout) == (0, "No mail is treated differently.\n")
        synth = [cdk, "synth", "--quiet", "--context", "functionName=mail-disclaimer"]
        subprocess.run(synth, cwd=app, capture_output=True, check=True)
        renamed = difference(app / "cdk.out")
        assert (renamed.exit_code, renamed.stdout.count("ARN CHANGES: ")) == (3, 1), renamed.stdout
        assert "ARN CHANGES: inbound rule 'Alias' needs another function ARN" in renamed.stdout
    with WorkMailLocal.running(tmp_path / "state") as local:
        assert notices(local).keys() == {"Alias", "Inbound", "Outbound"}
