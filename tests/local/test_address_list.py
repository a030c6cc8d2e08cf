"""Addresses found in fields that are put together from known addresses."""

from __future__ import annotations

from email.utils import formataddr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cpu_time import assert_linear
from workmail_local.address_list import addresses

# RFC 5322 atext, and RFC 6532's UTF-8; without what reads as another kind of text.
atom = st.text(
    st.one_of(
        st.sampled_from("abcXYZ019!#$%&'*+-/=?^_`{|}~"),
        st.characters(min_codepoint=0xA1, exclude_categories=["Cs", "Cc", "Cf", "Cn", "Zs", "Zl", "Zp"]),
    ),
    min_size=1,
    max_size=12,
)
dotted = st.lists(atom, min_size=1, max_size=3).map(".".join)
quoted = st.text(st.characters(codec="utf-8", exclude_characters='\\"\r\n'), max_size=12).map(lambda text: f'"{text}"')
mailbox = st.one_of(dotted, quoted.filter(lambda text: len(text) > 2))
address = st.builds("{}@{}".format, mailbox, dotted)
comment = st.recursive(
    st.text(st.characters(codec="utf-8", exclude_characters="\\()\r\n"), max_size=8),
    lambda inner: st.builds("{}({}){}".format, inner, inner, inner),
    max_leaves=4,
).map(lambda text: f"({text})")
space = st.one_of(st.sampled_from(["", " ", "\t "]), comment)
encoded = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).map(
    lambda name: formataddr((f"é{name}".replace("\r", "").replace("\n", ""), "x@example.org")).rpartition(" ")[0]
)
phrase = st.lists(st.one_of(atom, quoted, encoded), min_size=1, max_size=3).map(" ".join)
group_name = phrase


@st.composite
def mailboxes(draw: st.DrawFn) -> tuple[str, list[str]]:
    """One mailbox in one of its forms, and its address."""
    plain = draw(address)
    form = draw(
        st.sampled_from(
            [
                "{space}{address}{space}",
                "{space}<{space}{address}{space}>{space}",
                "{space}{phrase}{space} <{address}>{space}",
                "{phrase} <@relay.example,@other.example:{address}>",
            ]
        )
    )
    return form.format(address=plain, space=draw(space), phrase=draw(phrase)), [plain]


@st.composite
def groups(draw: st.DrawFn) -> tuple[str, list[str]]:
    members = draw(st.lists(mailboxes(), max_size=3))
    text = f"{draw(group_name)}:{draw(space)}{','.join(text for text, _ in members)};"
    return text, [found for _, inside in members for found in inside]


@given(st.lists(st.one_of(mailboxes(), groups()), max_size=6))
def test_every_address_of_a_well_formed_field_is_found_as_it_was_put_in(parts: list[tuple[str, list[str]]]) -> None:
    field = ",".join(text for text, _ in parts)
    assert list(addresses(field)) == [found for _, inside in parts for found in inside]


@given(st.lists(st.builds("{}@{}".format, dotted, dotted), min_size=1, max_size=4), st.sampled_from(" ;,\t"))
def test_addresses_without_a_comma_between_them_are_not_joined(plain: list[str], separator: str) -> None:
    assert list(addresses(separator.join(plain))) == plain


@given(st.text(st.sampled_from('a@.,:;<>()[]"\\ é\u0301')))
def test_any_text_yields_words_with_one_mailbox_and_one_domain(field: str) -> None:
    for found in addresses(field):
        mailbox, at, domain = found.rpartition("@")
        assert (bool(mailbox), at, bool(domain)) == (True, "@", True)


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("ann . lee @ example . org", ["ann.lee@example.org"]),
        ("<ann@example.org <bob@example.org>", ["ann@example.org", "bob@example.org"]),
        ("<ann@example.org, bob@example.org", ["ann@example.org", "bob@example.org"]),
        ("ann@example.org>, bob@example.org", ["ann@example.org", "bob@example.org"]),
        ("Ann <ann@example.org> Bob <bob@example.org>", ["ann@example.org", "bob@example.org"]),
        ("ann@example.org <real@example.org>", ["real@example.org"]),
        ("mailto:ann@example.org, <mailto:bob@example.org>", ["ann@example.org", "bob@example.org"]),
        ('"Ann <ann@example.org>', []),
        ("(Ann <ann@example.org>", []),
        (r"(a \) b@example.org) ann@example.org", ["ann@example.org"]),
        (r'"a \" <b@example.org>" <ann@example.org>', ["ann@example.org"]),
        ("ann@[IPv6:::1]", ["ann@[IPv6:::1]"]),
        ("[External] Ann [ <ann@example.org>", ["ann@example.org"]),
        ("undisclosed-recipients:;", []),
        ("<>, @example.org, ann@", []),
        ("", []),
    ],
)
def test_fields_of_real_mail(field: str, found: list[str]) -> None:
    assert list(addresses(field)) == found


HOSTILE = ["(", "((a)", '"', '"\\', '"a"', "a. ", "<", "<a@b", "<@", "[", "\\", "a@b ", ",", ":", "=?", "@"]


@pytest.mark.parametrize("unit", HOSTILE)
def test_work_grows_with_the_field_and_no_faster(unit: str) -> None:
    assert_linear(lambda: list(addresses(unit * 10_000)), lambda: list(addresses(unit * 40_000)))
