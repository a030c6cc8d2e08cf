"""The whole path: an example's stack through the real CDK CLI, real messages through its rule."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workmail_constructs.declared_rules import from_deployed_stack
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
