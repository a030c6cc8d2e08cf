"""What this evaluator cannot decide: an answer beside yes and no, which allows nothing and makes a Deny deny."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


class NotEvaluatedError(Exception):
    """AWS can answer this, a local run cannot; the text says what was not evaluated and why."""


def first(ask: Callable[[_Item], _Answer], items: Iterable[_Item]) -> _Answer | None:
    """Ask of each item, and return the first answer that is true in Python's sense, or None.

    A clear answer counts even where the question could not be answered for an earlier item.

    Raises:
        NotEvaluatedError: No answer is true, and at least one item had no answer.
    """
    unanswered: NotEvaluatedError | None = None
    for item in items:
        try:
            answer = ask(item)
        except NotEvaluatedError as error:
            unanswered = unanswered or error
            continue
        if answer:
            return answer
    if unanswered is not None:
        raise unanswered
    return None
