"""WorkMail's event log, turned on and off by the real CDK CLI and the deployed function with its own rights (W2)."""

from __future__ import annotations

import json
import tempfile
import time
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, RemovalPolicy, Stack

from tests.unit.flow.filter_pattern import matches
from workmail_constructs import EmailEventLogging, EmailFlowRules, WorkMailOrganization
from workmail_local.server.local_app import LocalApp
from workmail_local.testing.workmail_local import DeployFailedError, WorkMailLocal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("deployed-app")

SPAM = b"From: a@spam.example\r\nTo: bob@example.com\r\nSubject: Win\r\n\r\nNow\r\n"


def organization_of(alias: str) -> str:
    return f"m-{sha256(alias.encode()).hexdigest()[:32]}"


def synthesized(folder: Path, *, stack: str = "Mail", alias: str = "acme", overwrite: bool = False) -> Path:
    """An app with the event log of an organization, and a rule."""
    app = App(outdir=str(folder / f"{stack}-{alias}-{overwrite}"))
    mail = Stack(app, stack)
    organization = WorkMailOrganization.from_alias(mail, "Organization", alias, domains=["example.com"])
    events = EmailEventLogging(
        mail, "Events", organization=organization, log_removal_policy=RemovalPolicy.DESTROY, overwrite=overwrite
    )
    events.add_alarms()
    EmailFlowRules.of(mail).drop(
        "Spam", organization=organization, direction="INBOUND", senders=["spam.example"], destinations=["*"]
    )
    app.synth()
    return folder / f"{stack}-{alias}-{overwrite}"


def destroy(local: WorkMailLocal, app: Path) -> None:
    with tempfile.TemporaryFile("w+") as output:
        destroyed = LocalApp.find(local.daemon, str(app), output=output).destroy()
        output.seek(0)
        assert destroyed.problems == [], output.read()


def configuration(local: WorkMailLocal, alias: str = "acme") -> dict[str, Any] | None:
    """What WorkMail says of an organization; None while its events are not logged."""
    workmail = local.client("workmail")
    try:
        found = workmail.describe_email_monitoring_configuration(OrganizationId=organization_of(alias))
    except workmail.exceptions.ResourceNotFoundException:
        return None
    return {name: found[name] for name in ("LogGroupArn", "RoleArn") if name in found}


def resources(local: WorkMailLocal, stack: str = "Mail") -> dict[str, str]:
    found = local.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}


def physical_id(local: WorkMailLocal, name: str, stack: str = "Mail") -> str:
    (found,) = (each for logical_id, each in resources(local, stack).items() if logical_id[:-8] == name)
    return found


def logged_events(local: WorkMailLocal, group: str, name: str) -> list[dict[str, Any]]:
    """The entries of this name in a log group, once there is one; WorkMail writes them beside the delivery."""
    until = time.monotonic() + 15
    while time.monotonic() < until:
        entries = local.client("logs").filter_log_events(logGroupName=group)["events"]
        events = [json.loads(each["message"])["event"] for each in entries]
        if found := [each for each in events if each["eventName"] == name]:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{name} is not in {group}")


@contextmanager
def somebody_elses(local: WorkMailLocal) -> Iterator[str]:
    """An organization that somebody turned logging on for in the console."""
    local.client("logs").create_log_group(logGroupName="/aws/workmail/emailevents/acme")
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/workmail/emailevents/acme:*"
    local.client("workmail").put_email_monitoring_configuration(OrganizationId=organization_of("acme"), LogGroupArn=arn)
    yield arn


@pytest.mark.fact("W2", "W4")
def test_it_is_turned_on_moved_replayed_and_turned_off(tmp_path: Path) -> None:
    app, moved = synthesized(tmp_path), synthesized(tmp_path, alias="other")
    with WorkMailLocal.running(tmp_path / "state") as local:
        local.deploy_app(app)
        made = configuration(local)
        group = physical_id(local, "EventsLogGroup")
        assert made == {
            "LogGroupArn": f"arn:aws:logs:us-east-1:123456789012:log-group:{group}:*",
            "RoleArn": f"arn:aws:iam::123456789012:role/{physical_id(local, 'EventsRole')}",
        }
        filters = local.client("logs").describe_metric_filters(logGroupName=group)["metricFilters"]
        counted = {each["metricTransformations"][0]["metricName"]: each["filterPattern"] for each in filters}
        assert counted.keys() == {"IncomingEmailBounced", "OutgoingEmailBounced", "RuleApplied Spam"}
        assert '"Spam"' in counted["RuleApplied Spam"]
        assert physical_id(local, "EventsConfiguration") == organization_of("acme")
        # WorkMail writes with the deployed role.
        local.send(SPAM)
        (applied,) = logged_events(local, group, "RULE_APPLIED")
        assert matches(counted["RuleApplied Spam"], {"event": applied})
    with WorkMailLocal.running(tmp_path / "state") as local:
        # The configuration of the former run is there while the stack is deployed again.
        assert local.daemon.client.get("/v1/rules")["organizations"] != []
        assert configuration(local) == made
        # The rights on the former organization last until it is turned off there.
        local.deploy_app(moved)
        assert (configuration(local), configuration(local, "other")) == (None, made)
        destroy(local, moved)
        assert configuration(local, "other") is None
        assert json.loads((tmp_path / "state" / "email-monitoring.json").read_text()) == {}


@pytest.mark.fact("W2")
def test_what_is_somebody_elses_is_neither_replaced_nor_turned_off_unless_told_to(tmp_path: Path) -> None:
    first, second = synthesized(tmp_path), synthesized(tmp_path, stack="Second")
    with WorkMailLocal.running(tmp_path / "state") as local, somebody_elses(local) as theirs:
        with pytest.raises(DeployFailedError) as refused:
            local.deploy_app(first)
        said = " ".join(str(refused.value).split())
        assert "logs its email events to the log group /aws/workmail/emailevents/acme, which is not" in said
        assert "overwrite=True" in said
        assert configuration(local) == {"LogGroupArn": theirs}
        (stack,) = local.client("cloudformation").describe_stacks(StackName="Mail")["Stacks"]
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE"

        local.deploy_app(synthesized(tmp_path, overwrite=True))
        assert physical_id(local, "EventsLogGroup") in str(configuration(local))

        # A second stack is somebody else to the first one.
        with pytest.raises(DeployFailedError, match=physical_id(local, "EventsLogGroup")):
            local.deploy_app(second)
        local.deploy_app(synthesized(tmp_path, stack="Second", overwrite=True))
        taken_over = configuration(local)
        assert physical_id(local, "EventsLogGroup", "Second") in str(taken_over)
        destroy(local, first)
        assert configuration(local) == taken_over
