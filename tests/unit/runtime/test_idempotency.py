from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools.utilities.idempotency import BasePersistenceLayer
from aws_lambda_powertools.utilities.idempotency.exceptions import (
    IdempotencyItemAlreadyExistsError,
    IdempotencyItemNotFoundError,
)

from tests.unit.runtime.load_event import load_event
from workmail_runtime import EventError, Reply, SynchronousEvent, synchronous
from workmail_runtime.content_errors import SettingsError
from workmail_runtime.idempotency import once_per_invocation

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency.persistence.datarecord import DataRecord

CONTEXT = SimpleNamespace(aws_request_id="attempt", get_remaining_time_in_millis=lambda: 10_000)


class MemoryStore(BasePersistenceLayer):
    """Powertools' persistence in a dict, in place of its DynamoDB table."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.records: dict[str, DataRecord] = {}

    def _get_record(self, idempotency_key: str) -> DataRecord:
        if idempotency_key not in self.records:
            raise IdempotencyItemNotFoundError
        return self.records[idempotency_key]

    def _put_record(self, data_record: DataRecord) -> None:
        if data_record.idempotency_key in self.records:
            raise IdempotencyItemAlreadyExistsError
        self.records[data_record.idempotency_key] = data_record

    def _update_record(self, data_record: DataRecord) -> None:
        self.records[data_record.idempotency_key] = data_record

    def _delete_record(self, data_record: DataRecord) -> None:
        del self.records[data_record.idempotency_key]


def _counting_handler(runs: list[str | None]) -> Any:
    @once_per_invocation(store=MemoryStore())
    @synchronous
    def handler(event: SynchronousEvent) -> Reply:
        runs.append(event.invocation_id)
        if len(runs) == 1 and event.subject == "fail first":
            raise RuntimeError
        return event.reply.default_for_all()

    return handler


@pytest.mark.fact("E7")
def test_a_retry_gets_the_first_answer_and_runs_nothing() -> None:
    runs: list[str | None] = []
    handler = _counting_handler(runs)
    answers = [handler(load_event("inbound"), CONTEXT) for _ in range(3)]
    assert answers == [{"actions": [{"action": {"type": "DEFAULT"}, "allRecipients": True}]}] * 3
    handler(load_event("inbound", invocationId="another"), CONTEXT)
    assert runs == ["0123456789abcdef0123456789abcdef", "another"]


@pytest.mark.fact("E7")
def test_a_failed_run_is_forgotten() -> None:
    runs: list[str | None] = []
    handler = _counting_handler(runs)
    with pytest.raises(RuntimeError):
        handler(load_event("inbound", subject="fail first"), CONTEXT)
    assert handler(load_event("inbound", subject="fail first"), CONTEXT)["actions"]
    assert len(runs) == 2


@pytest.mark.fact("E2")
def test_an_older_edition_runs_unprotected_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    runs: list[str | None] = []
    handler = _counting_handler(runs)
    for _ in range(2):
        handler(load_event("edition_oldest"), CONTEXT)
    assert len(runs) == 2
    assert "the event has no invocationId (E2)" in caplog.text


def test_a_malformed_event_is_refused_before_anything_is_stored() -> None:
    with pytest.raises(EventError):
        _counting_handler([])({"invocationId": "x"}, CONTEXT)


def test_neither_table_nor_store() -> None:
    handler = once_per_invocation()(synchronous(lambda event: event.reply))
    with pytest.raises(SettingsError, match="set WORKMAIL_IDEMPOTENCY_TABLE, or name one in the decorator"):
        handler(load_event("inbound"), CONTEXT)
