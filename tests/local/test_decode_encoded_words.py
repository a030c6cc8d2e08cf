from __future__ import annotations

from email.header import Header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cpu_time import assert_linear
from workmail_local.decode_encoded_words import decode_encoded_words

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=60)


@given(words)
def test_what_the_standard_library_encodes_is_decoded(text: str) -> None:
    # The letter makes it encode whatever the text is, and end without the white space that it would drop.
    text = f"\u00e9{text}\u00e9"
    assert decode_encoded_words(Header(text, "utf-8").encode(linesep="", splitchars="")) == text


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        ("Gr\u00fc\u00dfe =?utf-8?q?aus_K=C3=B6ln?=", "Gr\u00fc\u00dfe aus K\u00f6ln"),
        ("=?utf-8?b?w?= =?UTF-8?b?7w=?=", "=?utf-8?b?w?= \ufffd"),
        ("=?utf-8?q?=C3?=\t=?utf-8*de?q?=BC?= x", "\u00fc x"),
        ("=?nope?q?x?= =?utf-8?q?y?=", "=?nope?q?x?= y"),
        ("=?hex?q?x?=", "x"),
        ("=?punycode?q?x-?=", "=?punycode?q?x-?="),
        ("=?utf-7?q?+2AA-?=", "?"),
        ("=?utf-8?q?two words?=", "two words"),
        ("=?utf-8?q??=", ""),
        ("a =? b ?=", "a =? b ?="),
    ],
)
def test_words_of_real_and_of_hostile_mail(text: str, decoded: str) -> None:
    assert decode_encoded_words(text) == decoded


@pytest.mark.parametrize(
    "unit",
    ["=?", "=?utf-8?q?", "=?utf-8?q?x?= ", "=?utf-8?q?x?= y ", "=?a?q?x?==?b?q?x?=", "?=", "=?a*", "=?utf-8?b?w?= "],
)
def test_work_grows_with_the_text_and_no_faster(unit: str) -> None:
    assert_linear(lambda: decode_encoded_words(unit * 10_000), lambda: decode_encoded_words(unit * 40_000))
