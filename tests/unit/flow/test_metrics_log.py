"""What functions count, for people who read a log."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workmail_flow.metrics_log import read_metrics_log
from workmail_runtime.metrics import write_line


def written(counts: dict[str, float], *, step: str | None = None) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        write_line(counts, step=step)
    return printed.getvalue()


@pytest.mark.usefixtures("in_lambda")
def test_what_the_runtime_writes_is_shown_and_taken_out_of_the_log() -> None:
    log = f"one\n{written({'RepliesDefault': 1, 'TimeLeft': 13_250})}two\n{written({'Failed': 1}, step='Banner')}"
    assert read_metrics_log(log) == (["RepliesDefault 1, TimeLeft 13,250 ms", "Banner: Failed 1"], "one\ntwo\n")


METRIC = {"Name": "Seen", "Unit": "Count"}


def line(namespace: Any = "WorkMailRules", metrics: Any = (METRIC,), **members: Any) -> str:
    aws = {"CloudWatchMetrics": [{"Namespace": namespace, "Metrics": metrics}]}
    return json.dumps({"_aws": aws, "Seen": 1, **members}) + "\n"


@pytest.mark.parametrize(
    "log",
    [
        line("Own"),
        line(metrics=[]),
        line(metrics={}),
        line(metrics=[METRIC, {"Name": "Seen"}]),
        line(metrics=[METRIC, "Seen"]),
        line(Seen="1"),
        line(Seen=True),
        line(Seen=None),
        line(Step=1),
        line()[:-3] + "\n",
        '{"_aws": "WorkMailRules"}\n',
        '"WorkMailRules"\n',
        '["WorkMailRules"' + "[" * 100_000,
    ],
)
def test_what_only_looks_like_it_stays_in_the_log(log: str) -> None:
    assert read_metrics_log(line()) == (["Seen 1"], "")
    assert read_metrics_log(log) == ([], log)


@given(st.text(), st.integers(0, len(line())), st.integers(0, len(line())))
def test_no_garbage_is_lost_or_fails(garbage: str, start: int, end: int) -> None:
    spoiled = line()[:start] + garbage + line()[end:]
    counted, log = read_metrics_log(f"{spoiled}\n{line()}")
    assert counted[-1] == "Seen 1"
    assert log.replace("\n", "") in spoiled
