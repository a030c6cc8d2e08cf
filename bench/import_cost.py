"""Cold start of a handler that only looks at the event: ours, a bare function, and one written as the guide shows."""

from __future__ import annotations

import shutil

from bench._cold_start import cold_starts
from bench._measure import Measure

HANDLERS = {
    "ours": """
from workmail_runtime import Reply, SynchronousEvent, synchronous

@synchronous
def handler(event: SynchronousEvent) -> Reply:
    return event.reply.default_for_all()
""",
    "bare": """
def handler(event, context):
    return {"actions": [{"action": {"type": "DEFAULT"}, "allRecipients": True}]}
""",
    "guide": """
import boto3

workmail_message_flow = boto3.client("workmailmessageflow")
s3 = boto3.client("s3")

def handler(event, context):
    return {"actions": [{"action": {"type": "DEFAULT"}, "allRecipients": True}]}
""",
}

GOAL = 0.03


def run() -> list[Measure]:
    """Measure import and first event over the bare runtime client."""
    return [*_against_the_guide(), _against_a_bare_function()]


def _against_the_guide() -> list[Measure]:
    counted = shutil.which("valgrind") is not None
    measures = []
    for from_source in (False, True):
        with cold_starts(HANDLERS, from_source=from_source) as starts:
            cost = starts.instructions if counted else starts.cpu_ms
            client = cost("-")
            measures.append(
                Measure(
                    f"import and first event, {'from source' if from_source else 'byte code there'}",
                    cost("ours") - client,
                    cost("guide", call=False) - client,
                    "M instructions" if counted else "ms CPU",
                    GOAL,
                    "guide: import of boto3 and two clients"
                    + ("" if counted else "; valgrind is missing, so CPU time, which is noisy"),
                )
            )
    return measures


def _against_a_bare_function() -> Measure:
    with cold_starts(HANDLERS) as starts:
        return Measure(
            "whole cold start up to the first answer", starts.cpu_ms("ours"), starts.cpu_ms("bare"), "ms CPU",
            note="a bare def handler",
        )  # fmt: skip
