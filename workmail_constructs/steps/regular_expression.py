"""Regular expressions of steps, checked before hostile mail meets them."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field, replace
from functools import reduce
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_POSITIONS: Final = 2_000
"""Characters that a pattern may match at most, counted repeats written out."""

_MAX_LOOP: Final = 150
_MAX_PAIRS: Final = 300_000
_MAX_WRITTEN_OUT: Final = 16  # a repeat with a higher count is judged as one without end
# What stands for all characters, besides those that the pattern names and their neighbours.
_SAMPLES: Final = (*map(chr, range(128)), "é", "É", "٣", "\u2003", "☃", "\U0001f600")


def checked_expression(text: str, *, argument: str) -> str:
    """Return a regular expression that takes at most quadratic time to search, whatever the text.

    Python's engine tries one way to match after the other. Where the number of ways grows with a power of the text or
    faster, a sender can keep a step busy until its time is over. The ways are counted in the pattern's automaton; where
    that is not exact, the pattern counts as slower than it is.

    Raises:
        ValueError: It is no regular expression, is empty, or may take too long.
    """
    where = f"{argument}: found {text!r}"
    if not text:
        raise ValueError(f"{where}; give a regular expression")
    try:
        compiled = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{where}, which is no regular expression: {error}") from None
    parser: Any = import_module("re._parser")  # its public name is deprecated; the tree is what re itself compiles
    automaton = _Automaton(_samples(text), ignore_case=bool(compiled.flags & re.IGNORECASE))
    try:
        automaton.read(parser.parse(text))
        problem = automaton.problem()
    except _NotJudgedError as error:
        problem = str(error)
    if problem:
        raise ValueError(
            f"{where}, which {problem}; allowed are patterns whose repeats cannot match the same text in several ways: "
            "let the repeats match different characters ([^;]* for .*), or begin the pattern with ^"
        )
    return text


class _NotJudgedError(Exception):
    """A pattern that cannot be judged; the text says why."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a pattern: by which positions it begins and ends, and in how many ways it may match nothing.

    Two ways are as bad as more, so counts end there.
    """

    first: Mapping[int, int] = field(default_factory=dict)
    last: Mapping[int, int] = field(default_factory=dict)
    empty: int = 1

    def or_else(self, other: _Piece) -> _Piece:
        """Return what matches as the one piece or as the other."""
        return _Piece(
            _added(self.first, other.first, 1), _added(self.last, other.last, 1), min(self.empty + other.empty, 2)
        )

    def then(self, other: _Piece) -> _Piece:
        """Return what matches as the one piece and then as the other."""
        return _Piece(
            _added(self.first, other.first, self.empty),
            _added(other.last, self.last, other.empty),
            min(self.empty * other.empty, 2),
        )


_NOTHING: Final = _Piece()


def _added(counts: Mapping[int, int], more: Mapping[int, int], ways: int) -> Mapping[int, int]:
    if not ways or not more:
        return counts
    return {**counts, **{each: min(counts.get(each, 0) + count * ways, 2) for each, count in more.items()}}


def _samples(text: str) -> tuple[str, ...]:
    around = {chr(min(max(ord(each) + step, 0), 0x10FFFF)) for each in text for step in (-1, 0, 1)}
    return tuple(dict.fromkeys((*_SAMPLES, *sorted(around))))


class _Automaton:
    """The positions of a pattern (Glushkov): each matches some characters and is followed by others.

    A position that follows another in two ways, for example in an inner and in an outer repeat, is counted twice.
    """

    def __init__(self, samples: tuple[str, ...], *, ignore_case: bool) -> None:
        self._samples = samples
        self._ignore_case = ignore_case
        self._all = (1 << len(samples)) - 1
        self._matches: list[int] = []  # by position, a bit for each sample
        self._follow: list[dict[int, int]] = []  # by position, how often each other one follows

    # --- reading

    def read(self, tree: Any) -> None:
        """Read a pattern's tree; one that may begin anywhere in the text begins with a repeat of any character."""
        start = None if _is_anchored(tree) else self._position(self._all)
        piece = self._sequence(tree)
        if start is not None:
            self._connect({start: 1}, {start: 1, **piece.first})

    def _position(self, matches: int) -> int:
        if len(self._matches) >= MAX_POSITIONS:
            message = f"has more than {MAX_POSITIONS:,} characters with its repeats written out"
            raise _NotJudgedError(message)
        self._matches.append(matches)
        self._follow.append({})
        return len(self._matches) - 1

    def _connect(self, last: Mapping[int, int], first: Mapping[int, int]) -> None:
        for position, count in last.items():
            self._follow[position] = dict(_added(self._follow[position], first, count))

    def _sequence(self, tree: Any) -> _Piece:
        return self._joined(self._piece(str(operation), argument) for operation, argument in tree)

    def _joined(self, pieces: Iterable[_Piece]) -> _Piece:
        whole = _NOTHING
        for piece in pieces:
            self._connect(whole.last, piece.first)
            whole = whole.then(piece)
        return whole

    def _piece(self, operation: str, argument: Any) -> _Piece:
        match operation:
            case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN" | "RANGE" | "CATEGORY":
                position = self._position(self._matched(operation, argument))
                return _Piece({position: 1}, {position: 1}, empty=0)
            case "AT":
                return _NOTHING
            case "SUBPATTERN":
                return self._sequence(argument[-1])
            case "ATOMIC_GROUP":
                return self._sequence(argument)
            case "BRANCH":
                return reduce(_Piece.or_else, map(self._sequence, argument[1]))
            case "ASSERT" | "ASSERT_NOT":
                # What it looks at is matched again by what follows.
                return self._sequence(argument[1]).or_else(_NOTHING)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                return self._repeat(*argument)
            case _:
                message = "refers to a group, whose time cannot be judged"
                raise _NotJudgedError(message)

    def _repeat(self, least: int, most: int, body: Any) -> _Piece:
        if most > _MAX_WRITTEN_OUT:
            once = [self._sequence(body) for _ in range(min(least, _MAX_WRITTEN_OUT))]
            loop = self._sequence(body)
            self._connect(loop.last, loop.first)
            return self._joined([*once, replace(loop, empty=1)])
        optional = _NOTHING
        for _ in range(most - least):
            optional = self._joined([self._sequence(body), optional]).or_else(_NOTHING)
        return self._joined([*(self._sequence(body) for _ in range(least)), optional])

    def _matched(self, operation: str, argument: Any) -> int:
        bits = 0
        for index, sample in enumerate(self._samples):
            cases = {sample, *sample.lower(), *sample.upper()} if self._ignore_case else {sample}
            if any(_does_match(operation, argument, each) for each in cases):
                bits |= 1 << index
        return bits

    # --- judging

    def problem(self) -> str | None:
        """Say what lets the pattern take too long."""
        loops = self._loops()
        if any(len(loop) > _MAX_LOOP for loop in loops):
            return f"repeats a group of more than {_MAX_LOOP} characters, whose time cannot be judged"
        if any(self._is_ambiguous(loop) for loop in loops):
            return "may take a time that grows exponentially with the text (catastrophic backtracking)"
        if self._degree(loops) > 1:
            return "may take a time that grows with the third power of the text or faster"
        return None

    def _loops(self) -> list[frozenset[int]]:
        """Return the positions that can be repeated, with those they are repeated with, in the order of the pattern."""
        reached = [self._reached(position) for position in range(len(self._matches))]
        loops = {
            frozenset(other for other in reached[each] if each in reached[other])
            for each in range(len(self._matches))
            if each in reached[each]
        }
        return sorted(loops, key=min)

    def _reached(self, start: int) -> set[int]:
        reached: set[int] = set()
        waiting = [start]
        while waiting:
            new = self._follow[waiting.pop()].keys() - reached
            reached |= new
            waiting += new
        return reached

    def _is_ambiguous(self, loop: frozenset[int]) -> bool:
        """Whether a text leads from a position of the loop back to it in two ways."""
        if any(count > 1 for each in loop for other, count in self._follow[each].items() if other in loop):
            return True
        pairs = {(each, each) for each in loop}
        ahead = self._pairs_from(pairs, loop)
        # Back to a pair of equal positions, from a pair of different ones.
        return any(
            one != other and any(a == b for a, b in self._pairs_from({(one, other)}, loop)) for one, other in ahead
        )

    def _pairs_from(self, starts: set[tuple[int, int]], loop: frozenset[int]) -> set[tuple[int, int]]:
        reached = set(starts)
        waiting = list(starts)
        while waiting:
            one, other = waiting.pop()
            for a, b in itertools.product(self._follow[one].keys() & loop, self._follow[other].keys() & loop):
                if (a, b) not in reached and self._matches[a] & self._matches[b]:
                    reached.add((a, b))
                    waiting.append((a, b))
        return reached

    def _degree(self, loops: list[frozenset[int]]) -> int:
        """Return how many loops in a row can divide a text among them in several ways, less one."""
        degrees: list[int] = []
        for index, loop in enumerate(loops):
            before = (degrees[earlier] + 1 for earlier in range(index) if self._share(loops[earlier], loop))
            degrees.append(max(before, default=0))
        return max(degrees, default=0)

    def _share(self, before: frozenset[int], behind: frozenset[int]) -> bool:
        """Whether a text can be taken by the first loop, by the second, and by the way from one to the other."""
        starts = itertools.product(before, behind)
        return any(self._shares_from(p, q, before, behind) for p, q in starts)

    def _shares_from(self, p: int, q: int, before: frozenset[int], behind: frozenset[int]) -> bool:
        start, goal = (p, p, q), (p, q, q)
        reached = {start}
        waiting = [start]
        while waiting:
            for state in self._together(waiting.pop(), before, behind):
                if state == goal:
                    return True
                if state not in reached:
                    reached.add(state)
                    waiting.append(state)
            if len(reached) > _MAX_PAIRS:
                return True
        return False

    def _together(
        self, state: tuple[int, int, int], before: frozenset[int], behind: frozenset[int]
    ) -> Iterator[tuple[int, int, int]]:
        one, way, other = (self._follow[each].keys() for each in state)
        for a in one & before:
            for c in other & behind:
                if both := self._matches[a] & self._matches[c]:
                    yield from ((a, b, c) for b in way if both & self._matches[b])


def _is_anchored(tree: Any) -> bool:
    """Whether a pattern can only begin where the text does."""
    operation, argument = next(iter(tree), ("", None))
    return str(operation) == "AT" and str(argument) in ("AT_BEGINNING", "AT_BEGINNING_STRING")


def _does_match(operation: str, argument: Any, character: str) -> bool:
    code = ord(character)
    match operation:
        case "ANY":
            return True
        case "LITERAL":
            return code == int(argument)
        case "NOT_LITERAL":
            return code != int(argument)
        case "RANGE":
            return bool(argument[0] <= code <= argument[1])
        case "CATEGORY":
            return re.fullmatch(_CATEGORIES[str(argument)], character) is not None
        case _:
            items = [(str(each), value) for each, value in argument]
            is_in = any(_does_match(each, value, character) for each, value in items if each != "NEGATE")
            return is_in != any(each == "NEGATE" for each, _ in items)


_CATEGORIES: Final = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}
