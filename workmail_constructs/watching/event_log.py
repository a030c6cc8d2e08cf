"""Reads WorkMail's event log from CloudWatch Logs: how much there is, and its entries, page by page (W2, W3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from workmail_constructs.watching.aws_error import error_code, is_denied
from workmail_flow.observed import EVENTS_READ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE_ENTRIES: Final = 10_000
"""What one answer of FilterLogEvents has at most; it also ends at 1 MB."""

FILTER_PATTERN: Final = "{ " + " || ".join(f'($.event.eventName = "{name}")' for name in EVENTS_READ) + " }"
"""Leaves the deliveries in the log; the comparison passes over what comes all the same."""

_ATTEMPTS: Final = 8
"""Standard mode waits up to 20 s between them: about a minute of throttling."""

_LISTED_GROUPS: Final = 5
_DEFAULT_GROUPS: Final = "/aws/workmail/"
_PER_MB: Final = 1_000_000


class EventLogError(Exception):
    """The log cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class LogEstimate:
    """How much the log group holds of a window, and how that is known."""

    size_bytes: int
    source: str

    def __str__(self) -> str:
        return f"about {self.size_bytes / _PER_MB:.1f} MB ({self.source})"


class EventLog:
    """A log group that WorkMail writes the events of one organization to.

    Args:
        log_group: Its name.
        region: Its Region; by default the caller's.
        profile: The AWS profile; by default the caller's.

    Attributes:
        calls: Answers that were read.
        entries: Log entries in them.
        size_bytes: Bytes of these entries.
        read_until: Up to when everything was read.
        is_partial: Whether there is more in the window than `max_calls` answers.
    """

    def __init__(self, log_group: str, *, region: str | None = None, profile: str | None = None) -> None:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        self._log_group = log_group
        try:
            session = boto3.session.Session(profile_name=profile, region_name=region)
            config = Config(retries={"mode": "standard", "total_max_attempts": _ATTEMPTS})
            self._logs: Any = session.client("logs", config=config)
            self._metrics: Any = session.client("cloudwatch", config=config)
        except BotoCoreError as error:
            raise EventLogError(_no_client(error)) from None
        self.calls = self.entries = self.size_bytes = 0
        self.read_until: datetime | None = None
        self.is_partial = False

    def read(
        self, since: datetime, until: datetime, *, max_calls: int, on_page: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[str, int]]:
        """Yield each entry with its time in milliseconds since 1970, oldest first.

        What is read is one span of time without gaps, also if `max_calls` ends it early.

        Raises:
            EventLogError: There is no such log group, or no permission to read it.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        self.read_until = since
        request = {
            "logGroupName": self._log_group,
            "startTime": milliseconds(since),
            "endTime": milliseconds(until),
            "filterPattern": FILTER_PATTERN,
            "limit": PAGE_ENTRIES,
            "interleaved": True,  # AWS ignores it since 2019 and always does so; others do so only if asked
        }
        token: str | None = None
        while True:
            try:
                answer = self._logs.filter_log_events(**request, **({"nextToken": token} if token else {}))
            except (BotoCoreError, ClientError) as error:
                raise EventLogError(self._failed(error)) from None
            self.calls += 1
            for entry in answer.get("events", ()):
                message, at_ms = entry["message"], entry["timestamp"]
                self.entries += 1
                self.size_bytes += len(message.encode("utf-8", "surrogatepass"))
                self.read_until = max(self.read_until, datetime.fromtimestamp(at_ms / 1000, UTC))
                yield message, at_ms
            token = answer.get("nextToken")
            if not token:
                self.read_until = until
            on_page()
            if not token:
                return
            if self.calls >= max_calls:
                self.is_partial = True
                return

    def estimate(self, since: datetime, until: datetime) -> LogEstimate:
        """Estimate how much the log group holds of a window, without reading it.

        Raises:
            EventLogError: There is no such log group, or no permission to describe it.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            group = self._describe()
        except (BotoCoreError, ClientError) as error:
            raise EventLogError(self._failed(error, action="logs:DescribeLogGroups")) from None
        try:
            received = self._bytes_received(since, until)
        except (BotoCoreError, ClientError) as error:
            received, why_not = None, f"the metric IncomingBytes could not be read: {error_code(error) or error}"
        else:
            why_not = "the metric IncomingBytes has no data"
        if received is not None:
            return LogEstimate(received, "the metric IncomingBytes of the log group in this time")
        now = datetime.now(UTC)
        begin = datetime.fromtimestamp(group["creationTime"] / 1000, UTC)
        if days := group.get("retentionInDays"):
            begin = max(begin, now - timedelta(days=days))
        overlap = (min(until, now) - max(since, begin)).total_seconds()
        age = max((now - begin).total_seconds(), 1.0)
        share = min(max(overlap, 0.0) / age, 1.0)
        return LogEstimate(
            round(group["storedBytes"] * share), f"the log group's storedBytes, spread evenly over its age; {why_not}"
        )

    def _describe(self) -> dict[str, Any]:
        for page in self._logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=self._log_group):
            for group in page["logGroups"]:
                if group["logGroupName"] == self._log_group:
                    found: dict[str, Any] = group
                    return found
        raise EventLogError(self._not_found())

    def _bytes_received(self, since: datetime, until: datetime) -> int | None:
        """Sum the metric over whole periods that cover the window; None if it has no data."""
        # At most 1,440 values per answer. Values of five minutes are kept for 63 days, of an hour for 455.
        window = until - since
        recent = datetime.now(UTC) - since < timedelta(days=63)
        period = 300 if window <= timedelta(days=4) and recent else 3_600 if window <= timedelta(days=60) else 86_400
        begin = since - timedelta(seconds=since.timestamp() % period)
        answer = self._metrics.get_metric_statistics(
            Namespace="AWS/Logs",
            MetricName="IncomingBytes",
            Dimensions=[{"Name": "LogGroupName", "Value": self._log_group}],
            StartTime=begin,
            EndTime=until,
            Period=period,
            Statistics=["Sum"],
        )
        values = [point["Sum"] for point in answer["Datapoints"]]
        return round(sum(values)) if values else None

    def _failed(self, error: Exception, *, action: str = "logs:FilterLogEvents") -> str:
        if error_code(error) == "ResourceNotFoundException":
            return self._not_found()
        if is_denied(error):
            return f"log group {self._log_group}: no permission; {action} on the log group is needed ({error})"
        return f"log group {self._log_group}: {error}"

    def _not_found(self) -> str:
        region = self._logs.meta.region_name
        near = self._near()
        found = f"WorkMail's in this Region: {', '.join(near)}" if near else "none of WorkMail's is in this Region"
        return (
            f"log group {self._log_group}: not found in {region}; {found}. Event logging is off at first: turn "
            "it on in the WorkMail console, and give the log group that is chosen there (W2)"
        )

    def _near(self) -> list[str]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = self._logs.describe_log_groups(logGroupNamePrefix=_DEFAULT_GROUPS, limit=_LISTED_GROUPS)
        except (BotoCoreError, ClientError):  # the list is a help only
            return []
        return [group["logGroupName"] for group in answer["logGroups"]]


def milliseconds(time: datetime) -> int:
    """Return a time as CloudWatch Logs writes it: milliseconds since 1970."""
    return int(time.timestamp() * 1000)


def _no_client(error: Exception) -> str:
    from botocore.exceptions import NoRegionError

    if isinstance(error, NoRegionError):
        return "no Region is known; give --region, or set AWS_REGION"
    return str(error)
