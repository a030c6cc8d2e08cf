"""When two spellings are the same address or domain, and what keeps text from being an address."""

from __future__ import annotations

from workmail_flow.assumptions import mailbox_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MAX_LABEL_CHARACTERS: Final = 63
"""One label of a domain in its ASCII spelling (RFC 1035 section 2.3.4)."""

MAX_ADDRESS_CHARACTERS: Final = 320
"""64 of the mailbox, the `@`, 255 of the domain (RFC 5321 sections 4.5.3.1.1 and 4.5.3.1.2)."""

# No spelling of a domain is that long. Normalizing text takes time that is quadratic in the combining marks in a row.
_MAX_NORMALIZED_CHARACTERS: Final = 1_000


def address_key(address: str) -> str:
    """Return what equal addresses share: it takes any text, and compares text that is not an address as it is.

    Mailboxes are compared as `mailbox_key` says, domains as `domain_key` does.
    """
    mailbox, at, domain = address.rpartition("@")
    return mailbox_key(mailbox) + at + domain_key(domain)


def domain_key(domain: str) -> str:
    """Return what equal domains share: lower case, every label in its ASCII (A-label) spelling, RFC 5890.

    Labels are mapped as UTS #46 does without its transitional step (so `faß.de` is `xn--fa-hia.de`, not `fass.de`);
    they are not checked against the registries' tables of allowed characters. It takes any text, and compares text
    that is too long for a domain as it is.
    """
    if domain.isascii():
        return domain.lower()
    if len(domain) > _MAX_NORMALIZED_CHARACTERS:
        return domain
    from unicodedata import normalize  # a shared library that only an IDN needs

    # NFKC turns the other full stops into "."; this one it leaves.
    text = normalize("NFKC", domain).replace("\u3002", ".")
    # Letter by letter: str.lower() of a whole word would write a capital sigma at its end as a final sigma.
    labels = normalize("NFC", "".join(letter.lower() for letter in text)).split(".")
    return ".".join(label if label.isascii() else _a_label(label) for label in labels)


def _a_label(label: str) -> str:
    if len(label) > MAX_LABEL_CHARACTERS:  # no A-label is that long, and encoding one takes quadratic time
        return label
    try:
        return "xn--" + label.encode("punycode").decode("ascii")
    except UnicodeError:  # a lone surrogate has no ASCII spelling: the label stays its own key
        return label


_NOT_IN_DOMAIN = frozenset('<>,;:"()[]\\/')
_QUOTED_IN_MAILBOX = frozenset('<>,;:"()[]\\@')


def address_problem(address: str) -> str | None:
    """Say what keeps `address` from being a plain `mailbox@domain`, or return None if it is one.

    Only what makes an address ambiguous or dangerous to pass on is refused; RFC 5321 allows less.
    """
    mailbox, at, domain = address.rpartition("@")
    if not (at and mailbox and domain):
        return "it is not of the form mailbox@domain"
    quoted = len(mailbox) > 2 and mailbox[0] == mailbox[-1] == '"'
    if len(address) > MAX_ADDRESS_CHARACTERS:
        return f"it has more than {MAX_ADDRESS_CHARACTERS} characters"
    if not address.isprintable() or " " in (domain if quoted else address):
        return "it holds a space or a control character"
    if not _NOT_IN_DOMAIN.isdisjoint(domain) or not (quoted or _QUOTED_IN_MAILBOX.isdisjoint(mailbox)):
        return "it holds a character that no plain address has"
    if "" in domain.split("."):
        return "its domain has an empty label (two dots in a row, or a dot at an end)"
    return None
