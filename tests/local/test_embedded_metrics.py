"""Metrics in a log: what AWS's schema calls valid is read, and everything else is ignored, in bounded time."""

from __future__ import annotations

import io
import json
import math
import time
from contextlib import redirect_stdout
from typing import Any

import botocore.session
import jsonschema
import pytest
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricResolution, MetricUnit
from hypothesis import given
from hypothesis import strategies as st

from workmail_local.embedded_metrics import MAX_POINTS, MetricPoint, read_metrics

NOW = 1_800_000_000.0

# AWS's documentation, "Specification: Embedded metric format", with today's limits.
TEXT = {"type": "string", "minLength": 1, "maxLength": 255}
DEFINITION = {
    "type": "object",
    "required": ["Name"],
    "properties": {"Name": TEXT, "Unit": {"type": "string"}, "StorageResolution": {"enum": [1, 60]}},
}
DIRECTIVE = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "properties": {
        "Namespace": TEXT,
        "Dimensions": {"type": "array", "minItems": 1, "items": {"type": "array", "maxItems": 30, "items": TEXT}},
        "Metrics": {"type": "array", "maxItems": 100, "items": DEFINITION},
    },
}
SCHEMA = jsonschema.Draft7Validator(
    {
        "type": "object",
        "required": ["_aws"],
        "properties": {
            "_aws": {
                "type": "object",
                "required": ["Timestamp", "CloudWatchMetrics"],
                "properties": {
                    "Timestamp": {"type": "integer"},
                    "CloudWatchMetrics": {"type": "array", "items": DIRECTIVE},
                },
            }
        },
    }
)


def line(changes: dict[str, Any] | None = None, **members: Any) -> str:
    """Return a valid document, with members of its one definition and of its root changed."""
    directive = {
        "Namespace": "Own",
        "Dimensions": [["FunctionName"]],
        "Metrics": [{"Name": "Seen", "Unit": "Count"}],
        **(changes or {}),
    }
    aws = {"Timestamp": int(NOW * 1000) + 61_500, "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": aws, "FunctionName": "f", "Seen": 1, **members})


def read(log: str) -> list[MetricPoint]:
    return list(read_metrics(log, now=NOW))


POINT = MetricPoint("Own", (("FunctionName", "f"),), "Seen", "Count", int(NOW) + 60, 60, (1.0,))


def test_metrics_stand_in_lines_of_a_log_among_others() -> None:
    log = f"START\n{line()}\n[INFO]\t2027-01-15T08:00:00.000Z\t0f-1\t{line()}\n{line()} and more\n\n{line()[:-1]}\nEND"
    assert read(log) == [POINT, POINT]


def test_each_set_of_dimensions_is_a_metric() -> None:
    many = {f"d{n}": "x" for n in range(30)}
    found = read(line({"Dimensions": [[], ["FunctionName"], ["B", "A"], list(many)]}, A="1", B="2", **many))
    assert [point.dimensions for point in found] == [
        (),
        POINT.dimensions,
        (("A", "1"), ("B", "2")),
        tuple(sorted(many.items())),
    ]


@pytest.mark.parametrize(
    ("document", "values"),
    [
        (line(Seen=0), (0.0,)),
        (line(Seen=-1.5), (-1.5,)),
        (line(Seen=[1, 2.5]), (1.0, 2.5)),
        (line(Seen=[7] * 100), (7.0,) * 100),
        (line(Seen=2**360), (2.0**360,)),
    ],
)
def test_values(document: str, values: tuple[float, ...]) -> None:
    assert [point.values for point in read(document)] == [values]


def test_units_and_resolutions() -> None:
    model = botocore.session.get_session().get_service_model("cloudwatch")
    for unit in model.shape_for("StandardUnit").enum:
        (point,) = read(line({"Metrics": [{"Name": "Seen", "Unit": unit, "StorageResolution": 1}]}))
        assert (point.unit, point.at, point.resolution_s) == (unit, int(NOW) + 61, 1)
    (point,) = read(line({"Metrics": [{"Name": "Seen"}]}))
    assert (point.unit, point.at, point.resolution_s) == ("None", int(NOW) + 60, 60)


AWS = json.loads(line())["_aws"]


@pytest.mark.parametrize(
    "document",
    [
        line({"Namespace": ""}),
        line({"Namespace": "AWS/Lambda"}),
        line({"Namespace": "x" * 256}),
        line({"Namespace": "\ud800"}),
        line({"Namespace": "a\u0000"}),
        line({"Namespace": 1}),
        line({"Dimensions": []}),
        line({"Dimensions": ["FunctionName"]}),
        line({"Dimensions": [["Missing"]]}),
        line({"Dimensions": [["FunctionName"] * 31]}),
        line({"Dimensions": [[["FunctionName"]]]}),
        line(FunctionName=1),
        line(FunctionName=""),
        line(FunctionName="   "),
        line(FunctionName="x" * 1025),
        line(FunctionName=["f"]),
        line({"Metrics": {"Name": "Seen"}}),
        line({"Metrics": ["Seen"]}),
        line({"Metrics": [{}]}),
        line({"Metrics": [{"Name": "Missing"}]}),
        line({"Metrics": [{"Name": "_aws"}]}),
        line({"Metrics": [{"Name": "Seen", "Unit": "Bananas"}]}),
        line({"Metrics": [{"Name": "Seen", "Unit": ["Count"]}]}),
        line({"Metrics": [{"Name": "Seen", "StorageResolution": 30}]}),
        line({"Metrics": [{"Name": "Seen", "StorageResolution": [1]}]}),
        line({"Metrics": [{"Name": "Seen"}] * 101}),
        line(Seen="1"),
        line(Seen=None),
        line(Seen=True),
        line(Seen=[]),
        line(Seen=[1] * 101),
        line(Seen=[1, [2]]),
        line(Seen=math.nan),
        line(Seen=math.inf),
        line(Seen=2**360 + 2**300),
        line(Seen=int("9" * 4000)),
        line().replace('"Seen": 1', '"Seen": ' + "9" * 5000),
        line(_aws={**AWS, "Timestamp": str(AWS["Timestamp"])}),
        line(_aws={**AWS, "Timestamp": AWS["Timestamp"] + 0.5}),
        line(_aws={**AWS, "Timestamp": True}),
        line(_aws={**AWS, "Timestamp": int("9" * 4000)}),
        line(_aws={**AWS, "Timestamp": -int("9" * 4000)}),
        line(_aws={**AWS, "Timestamp": int((NOW + 2.1 * 3600) * 1000)}),
        line(_aws={**AWS, "Timestamp": int((NOW - 14.1 * 24 * 3600) * 1000)}),
        line(_aws={"CloudWatchMetrics": AWS["CloudWatchMetrics"]}),
        line(_aws={**AWS, "CloudWatchMetrics": {}}),
        line(_aws={**AWS, "CloudWatchMetrics": [[]]}),
        line(_aws=[AWS]),
        f"[{line()}]",
        '{"CloudWatchMetrics": ' + "[" * 100_000,
        '"CloudWatchMetrics" without a brace',
    ],
)
def test_what_is_not_valid_is_ignored_and_the_next_line_is_read(document: str) -> None:
    assert read(f"{document}\n{line()}") == [POINT]


def test_what_powertools_writes_is_read() -> None:
    metrics = EphemeralMetrics(namespace="Mail", service="banner")
    metrics.add_metric(name="Banners", unit=MetricUnit.Count, value=1)
    metrics.add_metric(name="Banners", unit=MetricUnit.Count, value=2)
    metrics.add_metric(name="Time", unit=MetricUnit.Milliseconds, value=3.5, resolution=MetricResolution.High)
    printed = io.StringIO()
    with redirect_stdout(printed):
        metrics.flush_metrics()
    found = {point.name: point for point in read_metrics(printed.getvalue(), now=time.time())}
    assert found["Banners"].values == (1.0, 2.0)
    assert (found["Time"].values, found["Time"].unit, found["Time"].resolution_s) == ((3.5,), "Milliseconds", 1)
    assert {point.dimensions for point in found.values()} == {(("service", "banner"),)}


def test_a_log_has_so_many_points_and_no_more() -> None:
    hundred = [{"Name": "Seen"}] * 100
    assert len(read("\n".join([line({"Metrics": hundred})] * 20))) == MAX_POINTS
    # A document with more of them is not one that a function writes.
    assert read(line({"Metrics": hundred, "Dimensions": [[]] * 11})) == []
    assert read(line(_aws={**AWS, "CloudWatchMetrics": AWS["CloudWatchMetrics"] * 1001})) == []


@pytest.mark.parametrize(
    "log",
    [
        '"CloudWatchMetrics"' * 50_000,
        '"CloudWatchMetrics"\n' * 50_000,
        '{"CloudWatchMetrics"\n' * 50_000,
        '{"CloudWatchMetrics":' * 50_000,
        '{"_aws":{"CloudWatchMetrics":[]}}\n' * 30_000,
        line(_aws={**AWS, "CloudWatchMetrics": AWS["CloudWatchMetrics"] * 8_000}),
        line(_aws={**AWS, "CloudWatchMetrics": [{"Namespace": "Own", "Dimensions": [[]], "Metrics": []}] * 16_000}),
        line(_aws={**AWS, "CloudWatchMetrics": [{"Namespace": "O", "Dimensions": [[]] * 250_000, "Metrics": []}]}),
        "\n".join([line({"Dimensions": [["FunctionName"] * 30] * 10, "Metrics": [{"Name": "Seen"}] * 100})] * 100),
    ],
)
def test_no_log_takes_long(log: str) -> None:
    assert len(log) < 1_300_000
    started = time.process_time()
    assert len(read(log)) <= MAX_POINTS
    assert time.process_time() - started < 2


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
any_json = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
words = st.sampled_from(["A", "B", "C"])


def _often(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(*[right] * 9, any_json)


values = st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9)
definitions = st.fixed_dictionaries(
    {"Name": _often(words)},
    optional={"Unit": _often(st.sampled_from(["Count", "Bytes/Second"])), "StorageResolution": _often(st.just(1))},
)
directives = st.fixed_dictionaries(
    {
        "Namespace": _often(st.sampled_from(["One", "Two"])),
        "Dimensions": _often(
            st.lists(_often(st.lists(st.sampled_from(["X", "Y"]), max_size=2)), min_size=1, max_size=3)
        ),
        "Metrics": _often(st.lists(_often(definitions), max_size=3)),
    }
)
documents = st.fixed_dictionaries(
    {
        "_aws": _often(
            st.fixed_dictionaries(
                {
                    "Timestamp": _often(st.integers(int(NOW - 3600) * 1000, int(NOW + 3600) * 1000)),
                    "CloudWatchMetrics": _often(st.lists(_often(directives), max_size=2)),
                }
            )
        ),
        "X": _often(st.sampled_from(["x", "y"])),
        "Y": _often(st.sampled_from(["x", "y"])),
    },
    optional={name: _often(values | st.lists(values, min_size=1, max_size=3)) for name in "ABC"},
)


@given(documents | any_json.map(lambda each: {"_aws": each}))
def test_what_is_read_is_valid_by_the_schema_and_says_the_same(root: dict[str, Any]) -> None:
    found = read(json.dumps(root))
    assert set(found) <= set(_expected(root) if SCHEMA.is_valid(root) else ())


@given(st.text(), st.integers(0, len(line())), st.integers(0, len(line())))
def test_a_line_of_garbage_does_no_harm(garbage: str, start: int, end: int) -> None:
    spoiled = line()[:start] + garbage + line()[end:]
    assert read(f"{spoiled}\n{line()}")[-1] == POINT


def _expected(root: dict[str, Any]) -> list[MetricPoint]:
    """Return the points of a document that is valid by the schema, without a look at its limits."""
    points = []
    for directive in root["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            target = root.get(metric["Name"])
            numbers = target if isinstance(target, list) else [target]
            if not all(isinstance(each, int | float) for each in numbers):
                continue
            for names in directive["Dimensions"]:
                resolution = metric.get("StorageResolution", 60)
                dimensions = tuple(sorted({name: root.get(name) for name in names}.items()))
                at = root["_aws"]["Timestamp"] // 1000 // resolution * resolution
                unit = metric.get("Unit", "None")
                points.append(
                    MetricPoint(
                        directive["Namespace"], dimensions, metric["Name"], unit, at, resolution, tuple(numbers)
                    )
                )
    return points


@given(
    st.lists(st.tuples(words, values), min_size=1, max_size=5, unique_by=lambda pair: pair[0]),
    st.integers(int(NOW - 13 * 24 * 3600), int(NOW + 7000)),
)
def test_what_is_valid_is_read(metrics: list[tuple[str, float]], at: int) -> None:
    directive = {"Namespace": "Own", "Dimensions": [["F"]], "Metrics": [{"Name": name} for name, _ in metrics]}
    aws = {"Timestamp": at * 1000 + 7, "CloudWatchMetrics": [directive]}
    assert [
        (point.name, point.values, point.at) for point in read(json.dumps({"_aws": aws, "F": "f", **dict(metrics)}))
    ] == [(name, (float(value),), at - at % 60) for name, value in metrics]
