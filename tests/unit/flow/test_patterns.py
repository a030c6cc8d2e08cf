"""Patterns, sentence by sentence of F4 and F5."""

from __future__ import annotations

import pytest

from workmail_flow.patterns import Pattern, PatternError

MATCHES = [
    # That address, and no other.
    ("mary@example.com", "mary@example.com", True),
    ("mary@example.com", "Mary@EXAMPLE.com", True),
    ("mary@example.com", "mary+news@example.com", False),
    ("mary@example.com", "mary@mail.example.com", False),
    # Every address of exactly that domain.
    ("example.com", "mary@example.com", True),
    ("EXAMPLE.com", "mary@example.COM", True),
    ("example.com", "mary@mail.example.com", False),
    ("example.com", "mary@notexample.com", False),
    # Every address of the domain and of all its subdomains.
    ("*.example.com", "mary@example.com", True),
    ("*.example.com", "mary@mail.example.com", True),
    ("*.example.com", "mary@a.b.example.com", True),
    ("*.example.com", "mary@notexample.com", False),
    ("*.example.com", "mary@example.com.evil.test", False),
    # Any.
    ("*", "mary@example.com", True),
    ("*", "", True),
    # The null sender and other text without a domain is no address.
    ("example.com", "example.com", False),
    ("*.example.com", "", False),
    # Internationalized domains in both spellings.
    ("bücher.example", "mary@xn--bcher-kva.example", True),
    ("*.xn--bcher-kva.example", "mary@post.BÜCHER.example", True),
    ("faß.example", "mary@fass.example", False),
    ("jörg@bücher.example", "JÖRG@XN--BCHER-KVA.example", True),
]


@pytest.mark.fact("F4")
@pytest.mark.parametrize(("text", "address", "expected"), MATCHES)
def test_which_addresses_a_pattern_matches(text: str, address: str, expected: bool) -> None:
    assert Pattern.parse(text).matches(address) is expected


REFUSED = [
    ("", "it is empty"),
    (" example.com", "it holds a space; remove it"),
    ("example.com ", "it holds a space; remove it"),
    ("mary smith@example.com", "it holds a space; remove it"),
    ("exam\u200bple.com", "it holds a character that is not printable"),
    ("example.com.", "it ends with a dot; remove it"),
    ("mary@example.com.", "it ends with a dot; remove it"),
    (".example.com", "its domain has an empty label: it begins with a dot, or has two dots in a row"),
    ("example..com", "its domain has an empty label: it begins with a dot, or has two dots in a row"),
    ("mail.*.com", "the star may only be at the front, as in *.example.com"),
    ("*example.com", "the star may only be at the front, as in *.example.com"),
    ("**", "the star may only be at the front, as in *.example.com"),
    ("mary@*.example.com", "the star may only be at the front, as in *.example.com"),
    ("*@example.com", "the star may only be at the front of a domain; for the whole domain write example.com"),
    ("@example.com", "it has no mailbox before the '@'"),
    ("a@b@example.com", "its mailbox holds '@'"),
    (".mary@example.com", "its mailbox begins or ends with a dot, or has two dots in a row"),
    ("m" * 65 + "@example.com", "its mailbox is longer than 64 bytes"),
    ("mary@", "it has no domain after the '@'"),
    ("<mary@example.com>", "its mailbox holds '<'"),
    ("mary@[192.0.2.1]", "its domain holds '['"),
    ("exam_ple.com", "its domain holds '_'"),
    ("-example.com", "the label '-example' of its domain begins or ends with a hyphen"),
    ("a" * 64 + ".com", "a label of its domain has 64 characters, at most 63 are allowed"),
    (".".join(["a" * 60] * 5), "its domain has more than 253 characters"),
]


@pytest.mark.fact("F4")
@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_is_not_a_pattern(text: str, reason: str) -> None:
    with pytest.raises(PatternError) as caught:
        Pattern.parse(text)
    assert f"is not a pattern: {reason}; allowed are mailbox@example.com, example.com, *.example.com and * (F4)" in str(
        caught.value
    )


@pytest.mark.fact("F5")
@pytest.mark.parametrize("text", ["mary+news@example.com", "+", "exam+ple.com", "*+"])
def test_plus_is_refused(text: str) -> None:
    with pytest.raises(PatternError, match=r"'\+' is not valid in a pattern \(F5\)"):
        Pattern.parse(text)


@pytest.mark.fact("F9")
def test_specificity_is_address_domain_deeper_wildcard_wildcard_any() -> None:
    texts = ["a@b.example.com", "example.com", "*.b.example.com", "*.example.com", "*.com", "*"]
    specificities = [Pattern.parse(text).specificity for text in texts]
    assert specificities == sorted(set(specificities), reverse=True)


def test_spellings_of_one_pattern_are_equal_and_keep_their_text() -> None:
    one, other = Pattern.parse("*.Bücher.example"), Pattern.parse("*.xn--bcher-kva.EXAMPLE")
    assert one == other
    assert hash(one) == hash(other)
    assert str(one) == "*.Bücher.example"
