"""Sends events that an asynchronous rule's function failed on to the function again, from its on-failure queue."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from workmail_constructs.declared_rules import from_deployed_stack
from workmail_constructs.watching.aws_error import error_code, is_denied
from workmail_flow.arns import is_known_arn
from workmail_flow.failure_record import FailureRecord, FailureRecordError
from workmail_flow.limits import CONTENT_READABLE_HOURS
from workmail_flow.vocabulary import RuleAction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

HOLD_S: Final = 600
"""How long messages stay hidden from others while a person reads; renewed meanwhile."""

_RENEW_S: Final = 200.0
_BATCH: Final = 10
"""Messages of one call (Amazon SQS)."""
_LONG_POLL_S: Final = 1
"""A wait asks all of SQS's servers, so that an empty answer means an empty queue."""
_CONTENT_READABLE: Final = timedelta(hours=CONTENT_READABLE_HOURS)
_LONGEST_EVENT_AGE: Final = timedelta(hours=6)
"""How long before its record an event may have come: the longest that Lambda keeps one (AWS Lambda Developer Guide)."""
_NO_QUEUE: Final = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
_URL_REGION: Final = re.compile(r"https?://(?:sqs\.([a-z0-9-]+)\.|([a-z0-9-]+)\.queue\.)amazonaws\.com")


class RedriveError(Exception):
    """The queue cannot be found or read; the text says why and what to do."""


class Content(StrEnum):
    """Whether the message of an event can still be read (C2)."""

    READABLE = "readable"
    MAY_BE_GONE = "may be gone"
    """Lambda may have tried for so long that the 24 hours are over."""
    GONE = "gone"


class Result(StrEnum):
    """What became of an event."""

    SENT = "sent"
    NOT_DELETED = "sent, but not deleted"
    """Lambda took it, and it is still in the queue: the next run sends it once more."""
    REFUSED = "refused"
    """Lambda did not take it; it is still in the queue."""
    NOT_HELD = "not sent"
    """It was hidden from others no longer, so somebody else may have taken it."""


@dataclass(frozen=True, slots=True)
class Queue:
    """An on-failure queue."""

    url: str
    arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where failed events come from.

    Args:
        queues: On-failure queues.
        functions: ARNs of the only functions to invoke, without version or alias; None for every function that sends
            its failed events to the queue.
        stack: The stack that they are of; None for a queue.
        region: Region of queues and functions.
        notes: What of the stack is left out, and why.
    """

    queues: tuple[Queue, ...]
    functions: frozenset[str] | None
    stack: str | None
    region: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which events are meant. Without any, all are.

    Args:
        function: A function's name or ARN, alone or with its version or alias.
        error_type: The last error's type.
        message_ids: WorkMail's message ids (E8).
        newer_than: Failed less than this ago.
        older_than: Failed at least this ago.
    """

    function: str | None = None
    error_type: str | None = None
    message_ids: frozenset[str] = frozenset()
    newer_than: timedelta | None = None
    older_than: timedelta | None = None

    def take(self, record: FailureRecord, now: datetime) -> bool:
        """Whether the event of a record is meant."""
        age = now - record.timestamp
        _, _, name = record.invoked.partition(":function:")
        unqualified = record.invoked.removesuffix(name) + name.partition(":")[0]
        return (
            (self.function in (None, name, name.partition(":")[0], record.invoked, unqualified))
            and self.error_type in (None, record.error_type)
            and (not self.message_ids or record.message_id in self.message_ids)
            and (self.newer_than is None or age < self.newer_than)
            and (self.older_than is None or age >= self.older_than)
        )


@dataclass(slots=True)
class FailedEvent:
    """One event, however often it is in the queue.

    Args:
        record: The oldest of its records.
        messages: The keys of its messages in their queues.
        content: Whether its message can still be read (C2).
        result: None until it was its turn.
        error: Why Lambda did not take it, or why it was not deleted.
    """

    record: FailureRecord
    messages: list[tuple[str, str]]
    content: Content = Content.READABLE
    result: Result | None = None
    error: str | None = None


@dataclass(slots=True)
class _Held:
    """A message that is hidden from others.

    Args:
        receipt: What SQS wants to see to change or delete it.
        until: When others see it again, in seconds since the epoch.
    """

    receipt: str
    until: float


def content_state(failed_at: datetime, now: datetime) -> Content:
    """Say whether the message of an event that failed at a time can still be read (C2).

    An event that was sent again counts from its last failure, so its message may be older than this says.
    """
    age = now - failed_at
    if age >= _CONTENT_READABLE:
        return Content.GONE
    return Content.MAY_BE_GONE if age + _LONGEST_EVENT_AGE >= _CONTENT_READABLE else Content.READABLE


@dataclass(slots=True)
class Redrive:
    """One run: `receive`, look at `events`, `send`, and in any case `release`.

    Args:
        source: The queues, and the functions that may be invoked.
        sqs: A boto3 client.
        awslambda: A boto3 client.
        filters: Which events are meant.
        limit: How many of these at most, the oldest ones.
        now: The time that ages are counted to.

    Attributes:
        events: Those that are meant, oldest first.
        filtered: How many other events are left in the queue.
        left: What else is left in the queue: how many messages, by the reason.
        seen: How many messages were received.
        hidden: How many messages others do not see for some minutes more, at the end of `holding`.
    """

    source: Source
    sqs: Any
    awslambda: Any
    filters: Filters = field(default_factory=Filters)
    limit: int | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    events: list[FailedEvent] = field(default_factory=list)
    filtered: int = 0
    left: Counter[str] = field(default_factory=Counter)
    seen: int = 0
    hidden: int = 0
    _held: dict[tuple[str, str], _Held] = field(default_factory=dict)
    _lock: Any = field(default_factory=threading.Lock)
    _destinations: dict[str, str | None] = field(default_factory=dict)

    def receive(self) -> Iterator[int]:
        """Receive every message, and give the number so far after each batch. Those not meant are released at the end.

        Raises:
            RedriveError: A queue cannot be read.
        """
        found: dict[tuple[str, str], FailedEvent] = {}
        for queue in self.source.queues:
            while messages := self._new_messages(queue):
                for message in messages:
                    self.seen += 1
                    self._sort_in(queue, message, found)
                yield self.seen
        meant = [event for event in found.values() if self.filters.take(event.record, self.now)]
        self.events = sorted(meant, key=lambda event: event.record.timestamp)[: self.limit]
        self.filtered = len(found) - len(self.events)
        for event in self.events:
            event.content = content_state(event.record.timestamp, self.now)
        to_send = {key for event in self.events for key in event.messages}
        self._release(key for key in list(self._held) if key not in to_send)

    def send(self) -> Iterator[FailedEvent]:
        """Invoke the functions, one event after another, and give each event once it is over.

        A message is deleted only after Lambda took its event. Whoever stops iterating stops between two events.
        """
        for event in self.events:
            self._send(event)
            yield event

    def release(self) -> None:
        """Let others see every message at once, but for those that Lambda took and that could not be deleted."""
        sent = {key for event in self.events if event.result is Result.NOT_DELETED for key in event.messages}
        self._release(key for key in list(self._held) if key not in sent)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Keep the messages hidden from others while the context is open, and release them at its end."""
        ended = threading.Event()
        thread = threading.Thread(target=self._renew_until, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.release()
            self.hidden = len(self._held)

    def _new_messages(self, queue: Queue) -> list[dict[str, Any]]:
        from botocore.exceptions import BotoCoreError, ClientError

        until = time.time() + HOLD_S
        try:
            messages = self.sqs.receive_message(
                QueueUrl=queue.url,
                MaxNumberOfMessages=_BATCH,
                WaitTimeSeconds=_LONG_POLL_S,
                VisibilityTimeout=HOLD_S,
            ).get("Messages", [])
        except (BotoCoreError, ClientError) as error:
            if error_code(error).endswith("OverLimit"):  # SQS gives out no more before some are deleted
                return []
            raise RedriveError(f"{queue.arn}: {error}") from error
        new = []
        with self._lock:
            for message in messages:
                key = queue.url, message["MessageId"]
                if key not in self._held:
                    new.append(message)
                self._held[key] = _Held(message["ReceiptHandle"], until)  # of two deliveries, the last receipt counts
        return new

    def _sort_in(self, queue: Queue, message: Mapping[str, Any], found: dict[tuple[str, str], FailedEvent]) -> None:
        key = queue.url, message["MessageId"]
        try:
            record = FailureRecord.read(message["Body"])
        except FailureRecordError as error:
            self.left[str(error)] += 1
            return
        if (reason := self._foreign(record, queue)) is not None:
            self.left[reason] += 1
            return
        same = record.invoked, record.invocation_id or record.request_id
        known = found.setdefault(same, FailedEvent(record, []))
        if known.record.event != record.event:
            self.left["another event with the same invocationId"] += 1
            return
        known.messages.append(key)
        known.record = min(known.record, record, key=lambda each: each.timestamp)

    def _foreign(self, record: FailureRecord, queue: Queue) -> str | None:
        """Say why the function of a record may not be invoked; whoever may write to the queue can write any name."""
        *_, region, account, _ = queue.arn.split(":")
        parts = record.invoked.split(":")
        if parts[3:5] != [region, account]:
            return "its function is of another Region or account than the queue"
        if self.source.functions is not None and ":".join(parts[:7]) not in self.source.functions:
            return f"its function is not that of an asynchronous rule of stack {self.source.stack}"
        if record.invoked not in self._destinations:
            try:
                self._destinations[record.invoked] = on_failure_destination(self.awslambda, record.invoked)
            except RedriveError:
                self._destinations[record.invoked] = None
        if self._destinations[record.invoked] != queue.arn:
            return "its function does not send its failed events to this queue, or may not be read"
        return None

    def _send(self, event: FailedEvent) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        if any(self._held[key].until <= time.time() for key in event.messages):
            event.result, event.error = Result.NOT_HELD, "it was not hidden from others any more; run this again"
            return
        try:
            answer = self.awslambda.invoke(
                FunctionName=event.record.invoked, InvocationType="Event", Payload=event.record.payload()
            )
        except (BotoCoreError, ClientError) as error:
            event.result, event.error = Result.REFUSED, str(error)
            return
        if answer["StatusCode"] != 202:
            event.result, event.error = Result.REFUSED, f"Lambda answered {answer['StatusCode']}, not 202"
            return
        event.result = Result.NOT_DELETED  # until it is
        for url, message_id in event.messages:
            try:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=self._held[url, message_id].receipt)
            except (BotoCoreError, ClientError) as error:
                event.error = str(error)
            else:
                with self._lock:
                    del self._held[url, message_id]
        if event.error is None:
            event.result = Result.SENT

    def _renew_until(self, ended: threading.Event) -> None:
        while not ended.wait(_RENEW_S):
            self._change(list(self._held), HOLD_S)

    def _release(self, keys: Iterable[tuple[str, str]]) -> None:
        self._change(list(keys), 0)

    def _change(self, keys: Sequence[tuple[str, str]], timeout_s: int) -> None:
        """Set how long messages stay hidden; 0 lets go of them. Those that SQS does not change stay as they are."""
        from botocore.exceptions import BotoCoreError, ClientError

        for queue in self.source.queues:
            of_queue = [key for key in keys if key[0] == queue.url]
            for start in range(0, len(of_queue), _BATCH):
                # Locked until the answer is there: a renewal must not hide again what is released beside it.
                with self._lock:
                    batch = [key for key in of_queue[start : start + _BATCH] if key in self._held]
                    if not batch:
                        continue
                    entries = [
                        {
                            "Id": str(number),
                            "ReceiptHandle": self._held[key].receipt,
                            "VisibilityTimeout": timeout_s,
                        }
                        for number, key in enumerate(batch)
                    ]
                    until = time.time() + timeout_s
                    try:
                        answer = self.sqs.change_message_visibility_batch(QueueUrl=queue.url, Entries=entries)
                    except (BotoCoreError, ClientError):
                        continue
                    for done in answer.get("Successful", ()):
                        key = batch[int(done["Id"])]
                        if timeout_s:
                            self._held[key].until = until
                        else:
                            del self._held[key]


def on_failure_destination(awslambda: Any, function_arn: str) -> str | None:
    """Return the ARN to which Lambda sends the events that a function, version or alias failed on; None if nowhere.

    Raises:
        RedriveError: It may not be read.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    _, _, name = function_arn.partition(":function:")
    name, _, qualifier = name.partition(":")
    try:
        config = awslambda.get_function_event_invoke_config(
            FunctionName=name, **({"Qualifier": qualifier} if qualifier else {})
        )
    except (BotoCoreError, ClientError) as error:
        if error_code(error) == "ResourceNotFoundException":
            return None
        raise RedriveError(f"{function_arn}: {error}") from error
    destination = config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return destination if isinstance(destination, str) else None


def find_source(named: str, *, region: str | None = None) -> Source:
    """Find the queue, or the queues of the stack, that a person names.

    Args:
        named: A queue's URL, ARN or name, or a stack's name or ARN.
        region: Its Region; by default that of the URL or ARN, else the caller's.

    Raises:
        RedriveError: There is no such queue or stack, there are both, or it has no failed events.
    """
    match named.split(":"):
        case ["arn", _, "sqs", of_arn, _, _]:
            return _source_of_queue(_queue_of_arn(named, _same_region(named, of_arn, region)))
        case ["arn", _, "cloudformation", of_arn, _, *_]:
            return _source_of_stack(named, _same_region(named, of_arn, region))
        case ["arn", *_]:
            raise RedriveError(f"{named}: not the ARN of a queue or a stack")
        case [scheme, *_] if scheme in ("http", "https"):
            match = _URL_REGION.match(named)
            of_url = (match[1] or match[2]) if match else None
            return _source_of_queue(_queue_of_url(named, _same_region(named, of_url, region) if of_url else region))
    stack, no_stack = _stack_named(named, region)
    queue, no_queue = _queue_named(named, region)
    if stack and queue:
        raise RedriveError(f"{named!r} is a stack and a queue; give the ARN of the one that you mean: {stack} {queue}")
    if stack:
        return _source_of_stack(stack, region)
    if queue:
        return _source_of_queue(_queue_of_url(queue, region))
    raise RedriveError(f"{named!r} is neither a stack ({no_stack}) nor a queue ({no_queue}); is the Region right?")


def client(service: str, region: str | None) -> Any:
    """Return a boto3 client that tries a throttled call again."""
    import boto3
    from botocore.config import Config

    make: Any = boto3.client  # whose overloads name each service
    config = Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 5})
    return make(service, region_name=region, config=config)


def _same_region(named: str, own: str, given: str | None) -> str:
    if given not in (None, own):
        raise RedriveError(f"{named} is in {own}, but --region is {given}")
    return own


def _queue_named(name: str, region: str | None) -> tuple[str | None, str]:
    """Return the URL of the queue of this name, or why there is none."""
    from botocore.exceptions import ClientError

    if not re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name):
        return None, "no queue can have this name"
    try:
        return client("sqs", region).get_queue_url(QueueName=name)["QueueUrl"], ""
    except ClientError as error:
        if error_code(error) in _NO_QUEUE:
            return None, "there is none of this name"
        if is_denied(error):
            return None, "you may not look: sqs:GetQueueUrl"
        raise


def _stack_named(name: str, region: str | None) -> tuple[str | None, str]:
    """Return the ARN of the stack of this name, or why there is none."""
    from botocore.exceptions import ClientError

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", name):
        return None, "no stack can have this name"
    try:
        return client("cloudformation", region).describe_stacks(StackName=name)["Stacks"][0]["StackId"], ""
    except ClientError as error:
        if error_code(error) == "ValidationError":
            return None, "there is none of this name"
        if is_denied(error):
            return None, "you may not look: cloudformation:DescribeStacks"
        raise


def _queue_of_arn(arn: str, region: str) -> Queue:
    *_, account, name = arn.split(":")
    url = client("sqs", region).get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
    return Queue(url, arn)


def _queue_of_url(url: str, region: str | None) -> Queue:
    sqs = client("sqs", region)
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return Queue(url, arn)


def _source_of_queue(queue: Queue) -> Source:
    return Source(queues=(queue,), functions=None, stack=None, region=queue.arn.split(":")[3])


def _source_of_stack(stack: str, region: str | None) -> Source:
    name = stack.partition(":stack/")[2].partition("/")[0] or stack
    region = stack.split(":")[3] if stack.startswith("arn:") else region
    functions = {
        rule.function: rule.name
        for declared in from_deployed_stack(stack, region=region)
        for rule in declared.rules
        if rule.action is RuleAction.RUN_LAMBDA and not rule.synchronous and rule.function
    }
    if not functions:
        raise RedriveError(
            f"stack {name} declares no asynchronous rule; only those have events that a function failed on"
        )
    awslambda = client("lambda", region)
    queues: dict[str, Queue] = {}
    invocable, notes = set(), []
    for function, rule in functions.items():
        destination = on_failure_destination(awslambda, function) if is_known_arn(function) else None
        match destination.split(":") if destination else ():
            case ["arn", _, "sqs", of_arn, _, _] if destination:
                queues.setdefault(destination, _queue_of_arn(destination, of_arn))
                invocable.add(":".join(function.split(":")[:7]))
            case _ if not is_known_arn(function):
                notes.append(f"rule {rule!r}: the stack does not show the ARN of its function: {function}")
            case ():
                notes.append(f"rule {rule!r}: {function} has no on-failure destination")
            case _:
                notes.append(f"rule {rule!r}: the on-failure destination of {function} is no queue: {destination}")
    if not queues:
        raise RedriveError(f"stack {name} has no on-failure queue: " + "; ".join(notes))
    return Source(
        queues=tuple(queues.values()),
        functions=frozenset(invocable),
        stack=name,
        region=next(iter(queues)).split(":")[3],
        notes=tuple(notes),
    )
