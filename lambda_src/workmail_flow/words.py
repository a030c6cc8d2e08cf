"""Arguments that name one of a closed set of words: the member, as in `ContentAccess.READ`, or its word, `"READ"`."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias, TypeVar

from workmail_flow.vocabulary import FlowDirection

AnyDirection: TypeAlias = FlowDirection | Literal["INBOUND", "OUTBOUND"]

_Word = TypeVar("_Word", bound=StrEnum)


def one_of(words: type[_Word], value: object, *, argument: str) -> _Word:
    """Return the member of `words` that an argument names; its case does not matter.

    Raises:
        ValueError: It names none; the message lists those there are.
    """
    try:
        return words(str(value).upper())
    except ValueError:
        raise ValueError(f"{argument}: found {value!r}; allowed: {', '.join(words)}") from None
