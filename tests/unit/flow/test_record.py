"""Records: frozen values that load nothing."""

from __future__ import annotations

import subprocess
import sys
from typing import ClassVar

import pytest

from workmail_flow.record import Record


class Point(Record):
    x: int
    y: int = 0


class Named(Point):
    name: str = ""
    kind: ClassVar[str] = "named"


def test_fields_are_given_by_place_or_name_and_defaults_fill_the_rest() -> None:
    assert (Point(1).x, Point(1).y, Point(y=2, x=1).y, Named(1, 2, "n").name) == (1, 0, 2, "n")
    assert repr(Point(1, y=2)) == "Point(x=1, y=2)"


def test_a_class_variable_is_no_field() -> None:
    assert repr(Named(1)) == "Named(x=1, y=0, name='')"
    with pytest.raises(TypeError, match="Named has no field 'kind' left to set; fields: x, y, name"):
        Named(1, kind="other")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("values", "named", "message"),
    [
        ((), {}, "Point needs 'x'"),
        ((1, 2, 3), {}, "Point has 2 fields, found 3 values"),
        ((1,), {"x": 1}, "Point has no field 'x' left to set; fields: x, y"),
        ((1,), {"z": 1}, "Point has no field 'z' left to set"),
    ],
)
def test_wrong_fields_are_refused(values: tuple[int, ...], named: dict[str, int], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Point(*values, **named)


def test_records_are_frozen_equal_by_value_and_hashable() -> None:
    point = Point(1)
    with pytest.raises(AttributeError, match="Point is frozen: cannot set 'x'"):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(AttributeError, match="Point is frozen: cannot delete 'x'"):
        del point.x
    assert point == Point(1, 0)
    assert point != Named(1, 0)
    assert len({point, Point(1), Point(2)}) == 2


def test_the_reply_check_loads_none_of_the_costly_modules() -> None:
    code = (
        "import enum, sys; before = set(sys.modules); import workmail_flow.judge_reply;"
        "print(sorted({'typing', 'dataclasses', 'inspect', 'ast', 'unicodedata'} & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
