"""CloudWatch Logs Insights' query language, as its user guide describes it: what our saved queries use, and no more.

What is not of the language, or names a field that is nowhere, fails: `run` is the check of a query as well.
"""

from __future__ import annotations

import json
import re
from typing import Any

_TOKEN = re.compile(
    r'\s*(?:(?P<text>"[^"]*")|(?P<number>\d+)|(?P<sign>!=|[=>(),|*])|(?P<name>@?[A-Za-z_]\w*(?:\.\w+)*))'
)
_AGGREGATES = ("count", "max", "min", "sum")
_WORDS = {"and", "as", "asc", "by", "desc", "like"}

Row = dict[str, Any]
Expression = tuple[Any, ...]


def flat(value: Any, path: str = "") -> Row:
    """Return the fields that Insights finds in an entry: `event.ruleActions.0.action`."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = {str(index): each for index, each in enumerate(value)}.items()
    else:
        return {path: value}
    return {name: found for key, each in items for name, found in flat(each, f"{path}.{key}" if path else key).items()}


def run(query: str, entries: list[tuple[int, str]], *, known: set[str]) -> list[Row]:
    """Run a query over entries, each with its time.

    Args:
        query: The query.
        entries: The log.
        known: The fields that entries may have; a name is allowed where such a field may be, or what a command made.
    """
    reader = _Reader(query, known | {"@timestamp", "@message"})
    rows: list[Row] = [{"@timestamp": at, "@message": text, **flat(json.loads(text))} for at, text in entries]
    shown: list[str] | None = None
    while True:
        match reader.name():
            case "fields":
                named = reader.expressions()
                rows = [row | {name: _value(each, row) for name, each in named.items()} for row in rows]
                shown = list(named)
            case "filter":
                condition = reader.condition()
                rows = [row for row in rows if all(_holds(each, row) for each in condition)]
            case "stats":
                made = reader.expressions()
                by = reader.names() if reader.take("by") else []
                rows = _grouped(rows, made, by)
                reader.known = {*made, *by}
                shown = [*by, *made]
            case "sort":
                key = reader.field()
                rows = sorted(rows, key=lambda row: row[key], reverse=reader.name() == "desc")
            case "limit":
                rows = rows[: int(reader.token("number"))]
            case other:
                raise AssertionError(f"no command: {other}")
        if not reader.take("|"):
            break
    reader.end()
    return [{name: row[name] for name in shown if row.get(name) is not None} for row in rows] if shown else rows


class _Reader:
    def __init__(self, query: str, known: set[str]) -> None:
        self.known = known
        code = "\n".join(line for line in query.splitlines() if not line.startswith("#"))
        self._tokens: list[tuple[str, str]] = []
        end = 0
        while code[end:].strip():
            token = _TOKEN.match(code, end)
            assert token is not None, f"cannot read {code[end:]!r}"
            assert token.lastgroup is not None
            self._tokens.append((token.lastgroup, token[token.lastgroup]))
            end = token.end()

    def end(self) -> None:
        assert not self._tokens, f"left over: {self._tokens}"

    def token(self, kind: str) -> str:
        found, text = self._tokens.pop(0)
        assert found == kind, f"{text} is no {kind}"
        return text

    def name(self) -> str:
        return self.token("name")

    def take(self, text: str) -> bool:
        if self._tokens and self._tokens[0][1] == text:
            self._tokens.pop(0)
            return True
        return False

    def field(self) -> str:
        name = self.name()
        assert name not in _WORDS
        assert name in self.known, f"{name} is no field"
        return name

    def names(self) -> list[str]:
        found = [self.field()]
        while self.take(","):
            found.append(self.field())
        return found

    def expressions(self) -> dict[str, Expression]:
        found = {}
        while True:
            expression = self._expression()
            name = self.name() if self.take("as") else expression[-1]
            assert isinstance(name, str)
            self.known = self.known | {name}
            found[name] = expression
            if not self.take(","):
                return found

    def condition(self) -> list[Expression]:
        found = []
        while True:
            left = self._expression()
            operator = "like" if self.take("like") else self.token("sign")
            kind, right = self._tokens.pop(0)
            assert kind in ("text", "number")
            found.append((operator, left, right.strip('"') if kind == "text" else int(right)))
            if not self.take("and"):
                return found

    def _expression(self) -> Expression:
        name = self.name()
        if not self.take("("):
            assert name in self.known, f"{name} is no field"
            return ("field", name)
        arguments: list[Expression] = []
        while not self.take(")"):
            if self._tokens[0][0] == "text":
                arguments.append(("text", self.token("text").strip('"')))
            else:
                arguments.append(("every",) if self.take("*") else self._expression())
            self.take(",")
        return (name, *arguments)


def _value(expression: Expression, row: Row) -> Any:
    match expression:
        case ("field", name):
            return row.get(name)
        case ("text", text):
            return text
        case ("tolower", argument):
            return str(_value(argument, row)).lower()
        case ("strcontains", argument, sought):
            return int(str(_value(sought, row)) in str(_value(argument, row) or ""))
    raise AssertionError(f"no function: {expression}")


def _holds(condition: Expression, row: Row) -> bool:
    operator, left, right = condition
    value = _value(left, row)
    match operator:
        case "like":
            return value is not None and right in str(value)
        case "=":
            return bool(value == right)
        case "!=":
            return bool(value != right)
        case ">":
            return value is not None and value > right
    raise AssertionError(f"no operator: {operator}")


def _grouped(rows: list[Row], made: dict[str, Expression], by: list[str]) -> list[Row]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name) for name in by), []).append(row)
    return [
        dict(zip(by, key, strict=True)) | {name: _aggregate(each, group) for name, each in made.items()}
        for key, group in groups.items()
    ]


def _aggregate(expression: Expression, group: list[Row]) -> Any:
    name, argument = expression
    assert name in _AGGREGATES, f"no function of stats: {name}"
    if argument == ("every",):
        assert name == "count"
        return len(group)
    values = [value for row in group if (value := _value(argument, row)) is not None]
    if not values:
        return None
    return {"count": len, "max": max, "min": min, "sum": sum}[name](values)
