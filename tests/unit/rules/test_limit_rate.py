"""`LimitRate` as a plain function, against moto's DynamoDB."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from workmail_flow.vocabulary import FlowDirection
from workmail_rules import limit_rate
from workmail_rules.conversation import Conversation
from workmail_rules.message import Message
from workmail_runtime.content_errors import ServiceError, ServiceUnreachableError
from workmail_runtime.event import SynchronousEvent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ALL = "all@example.com"
SALES = "Sales@Example.com"
# What the step's class allows; its tests hold these numbers.
MAX_ADDRESSES, MAX_PER_STEP_AND_MINUTE = 30, 1_500
START = 1_764_000_000 // 6_000 * 6_000.0  # a whole minute, and the first of a period


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Table:
    """A table of the step, a clock, and the calls so far."""

    def __init__(self, endpoint: str, patch: pytest.MonkeyPatch) -> None:
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_REGION", "eu-west-1")
        self.client = boto3.client("dynamodb", endpoint_url=endpoint, region_name="eu-west-1")
        self.name = f"table-{uuid4()}"
        self.client.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.calls: list[str] = []
        self.now = START
        plain_call = limit_rate.call

        def counted(service: str, operation: str, arguments: Any, **options: Any) -> Any:
            self.calls.append(operation)
            return plain_call(service, operation, arguments, **options)

        patch.setattr(limit_rate, "call", counted)
        patch.setattr(limit_rate, "time", SimpleNamespace(time=lambda: self.now))

    def send(
        self, invocation: str, *recipients: str, per_minute: int = 2, addresses: Sequence[str] = (ALL, SALES)
    ) -> dict[str, str]:
        """Run the step on a message; return what it decided for each recipient, by the reply."""
        event = SynchronousEvent(
            mail_from="a@example.net",
            recipients=recipients or (ALL,),
            subject="Secret",
            invocation_id=invocation,
            direction=FlowDirection.INBOUND,
        )
        conversation = Conversation(event)
        message = Message(conversation, step="LimitRate", recipients=event.recipients)
        limit_rate.run(
            message,
            table=self.name,
            addresses=tuple(address.lower() for address in addresses),
            per_minute=per_minute,
            action="BOUNCE",
            text="Too many messages.",
        )
        self.metrics = conversation.metrics
        left = conversation.outcomes.left
        return {address: "delivered" if address in left else "bounced" for address in event.recipients}

    def item(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get_item(TableName=self.name, Key={"id": {"S": "rates"}})["Item"]
        return found


@pytest.fixture
def table(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Table:
    return Table(endpoint, monkeypatch)


def another_process() -> None:
    limit_rate._counter.cache_clear()


@pytest.mark.usefixtures("in_lambda")
def test_so_many_pass_in_a_minute_and_no_more_for_each_address(
    table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [table.send(f"i{n}") for n in range(3)] == [{ALL: "delivered"}, {ALL: "delivered"}, {ALL: "bounced"}]
    table.metrics.write()
    metric = json.loads(capsys.readouterr().out)
    assert (metric["Step"], metric["Limited"]) == ("LimitRate", 1)
    assert table.send("i3", SALES, ALL, "bob@example.com") == {
        SALES: "delivered",
        ALL: "bounced",
        "bob@example.com": "delivered",
    }
    table.now += 60
    assert table.send("i4") == {ALL: "delivered"}


def test_mail_for_others_makes_no_call(table: Table) -> None:
    assert table.send("i0", "bob@example.com") == {"bob@example.com": "delivered"}
    assert table.calls == []


def test_a_message_for_several_protected_addresses_makes_one_call(table: Table) -> None:
    addresses = [f"list{n}@example.com" for n in range(30)]
    assert set(table.send("i0", *addresses, addresses=addresses).values()) == {"delivered"}
    assert table.calls == ["UpdateItem"]


@pytest.mark.fact("E7")
def test_a_retry_is_counted_once_by_any_process_in_this_minute_or_a_later_one(table: Table) -> None:
    assert table.send("first", per_minute=1) == {ALL: "delivered"}
    assert table.send("first", per_minute=1) == {ALL: "delivered"}
    another_process()
    assert table.send("other", per_minute=1) == {ALL: "bounced"}
    assert table.send("first", per_minute=1) == {ALL: "delivered"}
    another_process()
    table.now += 10 * 60
    assert table.send("other", per_minute=1) == {ALL: "delivered"}
    assert table.send("first", per_minute=1) == {ALL: "delivered"}
    assert table.send("third", per_minute=1) == {ALL: "bounced"}


def test_a_retry_finds_itself_in_the_period_before(table: Table) -> None:
    memory = limit_rate.memory_minutes(per_minute=1, addresses=2)
    table.now += (memory - 1) * 60
    table.send("first", per_minute=1)
    table.now += 60
    table.send("second", per_minute=1)
    another_process()
    assert table.send("first", per_minute=1) == {ALL: "delivered"}
    assert table.send("third", per_minute=1) == {ALL: "bounced"}


def test_a_storm_makes_no_further_call_until_the_next_minute(table: Table) -> None:
    for n in range(300):
        table.send(f"i{n}")
    assert table.calls == ["UpdateItem"] * 2
    another_process()
    for n in range(300, 600):
        assert table.send(f"i{n}") == {ALL: "bounced"}
    assert table.calls == ["UpdateItem"] * 3
    table.now += 60
    assert table.send("next") == {ALL: "delivered"}


def test_one_full_address_does_not_keep_the_others_from_being_counted(table: Table) -> None:
    table.send("i0", per_minute=1)
    another_process()
    assert table.send("i1", ALL, SALES, per_minute=1) == {ALL: "bounced", SALES: "delivered"}
    assert table.send("i2", SALES, per_minute=1) == {SALES: "bounced"}


@pytest.mark.fact("E2")
def test_a_message_without_ids_is_counted_each_time(table: Table) -> None:
    event = SynchronousEvent(mail_from="a@example.net", recipients=(ALL,))
    for expected in (1, 1, 0):
        conversation = Conversation(event)
        message = Message(conversation, step="LimitRate", recipients=event.recipients)
        limit_rate.run(message, table=table.name, addresses=(ALL,), per_minute=2, action="DROP")
        assert len(conversation.outcomes.left) == expected


def test_the_table_holds_no_address_and_forgets(table: Table) -> None:
    table.send("i0", ALL, SALES)
    item = table.item()
    assert "example" not in json.dumps(item)
    assert "i0" not in json.dumps(item)
    assert float(item["expires"]["N"]) > table.now + 10 * 60
    for n in range(20):
        table.now += 60
        table.send(f"n{n}", ALL, per_minute=100)
    assert limit_rate.memory_minutes(per_minute=100, addresses=2) == 2
    assert len(table.item()) < 10


def test_what_processes_of_one_message_each_leave_behind_is_removed(table: Table) -> None:
    for n in range(limit_rate._MAX_OVER + 10):
        table.now += 60
        another_process()
        table.send(f"n{n}", ALL)
    assert len(table.item()) < 20
    assert len(table.calls) < limit_rate._MAX_OVER + 15


def test_the_answer_that_the_largest_item_gives_is_read_whole(table: Table) -> None:
    addresses = tuple(f"list{n}@example.com" for n in range(MAX_ADDRESSES))
    per_minute = MAX_PER_STEP_AND_MINUTE // MAX_ADDRESSES
    assert limit_rate.memory_minutes(per_minute=per_minute, addresses=MAX_ADDRESSES) == 1
    minute = int(table.now // 60)
    sets = {f"ids.{minute - old}": {"SS": [f"{old}-{n:010}" for n in range(1_500)]} for old in (0, 1)}
    counts = {
        f"{name}.{minute - old}": {"N": str(per_minute)}
        for name in limit_rate._hashes(addresses).values()
        for old in range(6)
    }
    table.client.put_item(TableName=table.name, Item={"id": {"S": "rates"}, **sets, **counts})
    assert set(table.send("late", *addresses, per_minute=per_minute, addresses=addresses).values()) == {"bounced"}
    assert table.calls == ["UpdateItem", "UpdateItem"]  # the second removes what is over


def test_what_dynamodb_refuses_fails_the_step(table: Table) -> None:
    table.name = "no-such-table"
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        table.send("i0")


def test_a_dynamodb_that_cannot_be_reached_fails_the_step(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ServiceUnreachableError):
        table.send("i0")


class Model:
    """The rule in plain words: who was let through before is; else who is below the limit of the minute."""

    def __init__(self, per_minute: int) -> None:
        self.per_minute = per_minute
        self.passed: dict[tuple[str, str], float] = {}

    def send(self, invocation: str, recipients: Sequence[str], now: float) -> dict[str, str]:
        outcome = {}
        for address in recipients:
            count = sum(1 for (each, _), when in self.passed.items() if each == address and when // 60 == now // 60)
            if (address, invocation) in self.passed or count < self.per_minute:
                self.passed.setdefault((address, invocation), now)
                outcome[address] = "delivered"
            else:
                outcome[address] = "bounced"
        return outcome


MESSAGES = st.lists(
    st.tuples(
        st.integers(0, 8),  # invocation
        st.lists(st.sampled_from([ALL, SALES, "third@example.com"]), min_size=1, unique=True),
        st.sampled_from([0, 0, 0, 20, 60, 120]),  # seconds later
        st.booleans(),  # by another process
    ),
    max_size=20,
)


@settings(max_examples=20)
@given(messages=MESSAGES, per_minute=st.integers(1, 3))
def test_it_decides_as_the_rule_says(endpoint: str, messages: list[Any], per_minute: int) -> None:
    model = Model(per_minute)
    with pytest.MonkeyPatch.context() as patch:
        table = Table(endpoint, patch)
        for number, recipients, later, by_another in messages:
            table.now += later
            processes = [limit_rate._counter.cache_clear] if by_another else []
            for start in processes:
                start()
            decided = table.send(
                f"i{number}", *recipients, per_minute=per_minute, addresses=[ALL, SALES, "third@example.com"]
            )
            assert decided == model.send(f"i{number}", recipients, table.now)


def test_it_gives_up_at_the_deadline(table: Table) -> None:
    counter = limit_rate.Counter(table.name, 1, 1)
    with pytest.raises(ServiceUnreachableError):
        counter.count(["name"], "i0", deadline=time.monotonic() - 1)
