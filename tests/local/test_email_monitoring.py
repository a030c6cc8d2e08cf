"""Where organizations log their email events, in a file that two processes share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from workmail_local.email_monitoring import EmailMonitoring, MonitoringConfiguration
from workmail_local.state_file import StateFileError

if TYPE_CHECKING:
    from pathlib import Path

ID = "m-0123456789abcdef0123456789abcdef"
HERE = {"account": "111122223333", "region": "eu-west-1"}
ONE = MonitoringConfiguration("arn:aws:logs:eu-west-1:111122223333:log-group:one:*", "arn:aws:iam::111122223333:role/w")
TWO = MonitoringConfiguration("arn:aws:logs:eu-west-1:111122223333:log-group:two:*", None)


def test_nothing_is_logged_at_first(tmp_path: Path) -> None:
    assert EmailMonitoring(tmp_path).find(ID, **HERE) is None


@pytest.mark.fact("W2")
def test_another_process_sees_each_change(tmp_path: Path) -> None:
    writer, reader = EmailMonitoring(tmp_path), EmailMonitoring(tmp_path)
    assert reader.find(ID, **HERE) is None
    writer.put(ID, ONE, **HERE)
    assert reader.find(ID, **HERE) == ONE
    writer.put(ID, TWO, **HERE)
    assert reader.find(ID, **HERE) == TWO
    writer.delete(ID, **HERE)
    assert reader.find(ID, **HERE) is None
    writer.delete(ID, **HERE)  # it is off already
    writer.put(ID, ONE, **HERE)
    assert reader.find(ID, **HERE) == ONE


def test_organizations_accounts_and_regions_are_apart(tmp_path: Path) -> None:
    monitoring = EmailMonitoring(tmp_path)
    monitoring.put(ID, ONE, **HERE)
    monitoring.put("m-other", TWO, **HERE)
    monitoring.put(ID, TWO, account="444455556666", region="eu-west-1")
    monitoring.delete(ID, account="111122223333", region="us-east-1")

    assert monitoring.find(ID, **HERE) == ONE
    assert monitoring.find("m-other", **HERE) == TWO
    assert monitoring.find(ID, account="444455556666", region="eu-west-1") == TWO
    assert monitoring.find(ID, account="111122223333", region="us-east-1") is None


def test_the_file_is_read_once_for_each_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    EmailMonitoring(tmp_path).put(ID, ONE, **HERE)
    reader = EmailMonitoring(tmp_path)
    assert reader.find(ID, **HERE) == ONE
    monkeypatch.setattr("workmail_local.email_monitoring.read_state_file", None)

    assert reader.find(ID, **HERE) == ONE


def test_a_file_that_goes_turns_logging_off(tmp_path: Path) -> None:
    monitoring = EmailMonitoring(tmp_path)
    monitoring.put(ID, ONE, **HERE)
    (tmp_path / "email-monitoring.json").unlink()

    assert monitoring.find(ID, **HERE) is None


@pytest.mark.parametrize("content", ["", "[]", '{"x": {}}', '{"x": 1}', '{"x": {"logGroupArn": "a"}}'])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "email-monitoring.json").write_text(content)

    with pytest.raises(StateFileError, match=r"email-monitoring\.json: found .*; delete it and deploy the stack"):
        EmailMonitoring(tmp_path).find(ID, **HERE)


def test_the_file_has_what_was_put(tmp_path: Path) -> None:
    EmailMonitoring(tmp_path).put(ID, ONE, **HERE)

    assert json.loads((tmp_path / "email-monitoring.json").read_text()) == {
        f"eu-west-1/111122223333/{ID}": {"logGroupArn": ONE.log_group_arn, "roleArn": ONE.role_arn}
    }
