"""Sender and destination patterns of email flow rules (F4, F5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from workmail_flow.address import MAX_LABEL_CHARACTERS, address_key, domain_key
from workmail_flow.assumptions import mailbox_key, specificity_of_wildcard

ALLOWED_FORMS: Final = "mailbox@example.com, example.com, *.example.com and *"
"""The forms a pattern may have, as error messages give them (F4)."""

MAX_LABELS: Final = 127
MAX_DOMAIN_CHARACTERS: Final = 253
"""A domain in its ASCII spelling (RFC 1035 section 2.3.4)."""

MAX_MAILBOX_BYTES: Final = 64
"""The part before the `@` (RFC 5321 section 4.5.3.1.1)."""

ANY_SPECIFICITY: Final = 0
DOMAIN_SPECIFICITY: Final = MAX_LABELS + 1
ADDRESS_SPECIFICITY: Final = MAX_LABELS + 2
"""F9: address before domain before wildcard domain before `*`; a wildcard domain's depth is between them."""

_MAILBOX_CHARACTERS: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'/=?^_`{|}~-."
)
_LABEL_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


class PatternError(ValueError):
    """Text that is not a pattern; the message says what was found and what is allowed."""


class PatternKind(StrEnum):
    """The four forms of a pattern, most specific first (F4, F9)."""

    ADDRESS = "address"
    DOMAIN = "domain"
    WILDCARD_DOMAIN = "wildcard domain"
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One pattern. Patterns that match the same addresses are equal, whatever their spelling.

    Args:
        text: As it was written.
        kind: Which of the four forms it has.
        key: What it matches, comparable: an `address_key`, a `domain_key`, or nothing for `*`.
        specificity: How specific it is; of two patterns that match an address the greater wins (F9).
    """

    text: str = field(compare=False)
    kind: PatternKind
    key: str
    specificity: int = field(compare=False)

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Read a pattern.

        Domains may be written in either spelling of an internationalized name, in any case.

        Raises:
            PatternError: The text has none of the forms of F4. No text raises another error.
        """
        if text == "*":
            return cls(text=text, kind=PatternKind.ANY, key="", specificity=ANY_SPECIFICITY)
        if problem := _problem_of(text):
            raise PatternError(f"{_shown(text)} is not a pattern: {problem}; allowed are {ALLOWED_FORMS} (F4)")
        mailbox, at, domain = text.rpartition("@")
        if at:
            key = f"{mailbox_key(mailbox)}@{domain_key(domain)}"
            return cls(text=text, kind=PatternKind.ADDRESS, key=key, specificity=ADDRESS_SPECIFICITY)
        if domain.startswith("*."):
            key = domain_key(domain[2:])
            depth = specificity_of_wildcard(key)
            return cls(text=text, kind=PatternKind.WILDCARD_DOMAIN, key=key, specificity=depth)
        return cls(text=text, kind=PatternKind.DOMAIN, key=domain_key(domain), specificity=DOMAIN_SPECIFICITY)

    def matches(self, address: str) -> bool:
        """Whether the pattern matches an address (F4). Only `*` matches text without `@`, such as the null sender."""
        mailbox, at, domain = address_key(address).rpartition("@")
        match self.kind:
            case PatternKind.ANY:
                return True
            case PatternKind.ADDRESS:
                return f"{mailbox}{at}{domain}" == self.key
            case PatternKind.DOMAIN:
                return bool(at) and domain == self.key
            case PatternKind.WILDCARD_DOMAIN:
                return bool(at) and (domain == self.key or domain.endswith("." + self.key))

    def __str__(self) -> str:
        return self.text


def _shown(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:99] + "…")


def _problem_of(text: str) -> str | None:
    """Say what keeps `text`, which is not `*`, from being a pattern."""
    if not text:
        return "it is empty"
    if text != text.strip() or " " in text:
        return "it holds a space; remove it"
    if not text.isprintable():
        return "it holds a character that is not printable"
    if "+" in text:
        return "'+' is not valid in a pattern (F5)"
    mailbox, at, domain = text.rpartition("@")
    if at and (problem := _problem_of_mailbox(mailbox, domain)):
        return problem
    return _problem_of_domain(domain if at else domain.removeprefix("*."), domain)


def _problem_of_mailbox(mailbox: str, domain: str) -> str | None:
    if mailbox == "*":
        return f"the star may only be at the front of a domain; for the whole domain write {domain}"
    if not mailbox:
        return "it has no mailbox before the '@'"
    if not domain:
        return "it has no domain after the '@'"
    if len(mailbox.encode("utf-8", "surrogatepass")) > MAX_MAILBOX_BYTES:
        return f"its mailbox is longer than {MAX_MAILBOX_BYTES} bytes"
    if "" in mailbox.split("."):
        return "its mailbox begins or ends with a dot, or has two dots in a row"
    if wrong := next((char for char in mailbox if char.isascii() and char not in _MAILBOX_CHARACTERS), None):
        return f"its mailbox holds {wrong!r}"
    return None


def _problem_of_domain(written: str, whole: str) -> str | None:
    if "*" in written:
        return "the star may only be at the front, as in *.example.com"
    if whole.endswith("."):
        return "it ends with a dot; remove it"
    labels = domain_key(written).split(".")
    if "" in labels:
        return "its domain has an empty label: it begins with a dot, or has two dots in a row"
    for label in labels:
        if len(label) > MAX_LABEL_CHARACTERS:
            return f"a label of its domain has {len(label)} characters, at most {MAX_LABEL_CHARACTERS} are allowed"
        if wrong := next((char for char in label if char not in _LABEL_CHARACTERS), None):
            return f"its domain holds {wrong!r}"
        if label.startswith("-") or label.endswith("-"):
            return f"the label {label!r} of its domain begins or ends with a hyphen"
    if len(".".join(labels)) > MAX_DOMAIN_CHARACTERS:
        return f"its domain has more than {MAX_DOMAIN_CHARACTERS} characters"
    return None
