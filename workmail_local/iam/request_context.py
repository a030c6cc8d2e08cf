"""The condition keys of a request: given, absent, or supplied by AWS with a value that a local run does not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

RequestContext = Mapping[str, str | Sequence[str] | None]
"""Condition keys, in lower case, with their values.

A multivalued key has a sequence of values, and the empty sequence says that AWS does not supply the key. None says that
AWS may supply it, but the value is not known here. A name that ends in `/*` or `:*` speaks for every key with that
prefix. What is not listed is absent, except for the keys below.
"""

ALWAYS_SUPPLIED = frozenset(
    {
        *("aws:currenttime", "aws:epochtime", "aws:requestedregion", "aws:securetransport", "aws:sourceip"),
        *("aws:useragent", "aws:viaawsservice", "aws:principalisawsservice", "aws:resourceaccount"),
    }
)
"""Keys that AWS gives to every signed request."""

# Keys that depend on who calls; a function, with the session of its role, has them all.
_SUPPLIED_FOR_SOME = frozenset(
    {
        *("aws:principalaccount", "aws:principalarn", "aws:principaltype", "aws:userid"),
        *("aws:tokenissuetime", "aws:multifactorauthpresent"),
    }
)


def values_of(key: str, context: RequestContext) -> Sequence[str] | None:
    """Return a key's values, empty for an absent key, or None if AWS may supply values that are not known here."""
    folded = key.lower()
    for name in (folded, f"{folded.partition('/')[0]}/*", f"{folded.partition(':')[0]}:*"):
        if name in context:
            values = context[name]
            return (values,) if isinstance(values, str) else values
    return None if folded in ALWAYS_SUPPLIED | _SUPPLIED_FOR_SOME else ()
