"""Card numbers and IBANs in text, judged by other implementations of their check digits."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workmail_rules.sensitive_numbers import IBAN_LENGTHS, MAX_STARTS, has_card_number, has_iban
from workmail_rules.step_errors import StepError

# The numbers that the issuers and payment services publish for tests.
CARDS = {
    "Visa": "4111111111111111",
    "Visa of 13": "4222222222222",
    "Visa of 19": "4000000000000000006",
    "Mastercard": "5555555555554444",
    "Mastercard 2": "2223003122003222",
    "American Express": "378282246310005",
    "Discover": "6011111111111117",
    "Diners Club": "30569309025904",
    "Diners Club 36": "36227206271667",
    "JCB": "3530111333300000",
    "UnionPay": "6200000000000005",
    "Maestro": "6759649826438453",
}
# The examples of the IBAN registry, one per length.
IBANS = {
    "NO": "NO9386011117947",
    "BE": "BE68539007547034",
    "NL": "NL91ABNA0417164300",
    "AT": "AT611904300234573201",
    "CH": "CH9300762011623852957",
    "DE": "DE89370400440532013000",
    "GB": "GB29NWBK60161331926819",
    "SE": "SE4550000000058398257466",
    "FR": "FR1420041010050500013M02606",
    "PL": "PL61109010140000071219812874",
    "BR": "BR1800360305000010009795493C1",
    "KW": "KW81CBKU0000000000001234560101",
    "MT": "MT84MALT011000012345MTLCAST001S",
    "LC": "LC55HEMM000100010012001200023015",
}


@pytest.mark.parametrize("issuer", CARDS)
def test_published_test_numbers_are_found(issuer: str) -> None:
    number = CARDS[issuer]
    assert has_card_number(f"pay with {number}.")
    assert has_card_number(number)
    assert has_card_number(" ".join(re.findall(".{1,4}", number)))
    assert has_card_number("-".join(number))


@pytest.mark.parametrize("country", IBANS)
def test_examples_of_the_registry_are_found(country: str) -> None:
    iban = IBANS[country]
    assert IBAN_LENGTHS[country] == len(iban)
    assert has_iban(f"pay to {iban}, please")
    assert has_iban(iban.lower())
    assert has_iban(" ".join(re.findall(".{1,4}", iban)) + " and so on")
    assert has_iban("-".join(iban))


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # a wrong check digit
        "1234567812345670",  # Luhn, and no issuer
        "411111111111111",  # an issuer's prefix with another length
        "994111111111111111199",  # inside a longer number
        "4111\n1111\n1111\n1111",  # a column of numbers
        "4111, 1111, 1111, 1111",
        "4111---1111---1111---1111",
        "call 0049 89 1234567 or 0049 89 7654321",
        "0000000000000000",
    ],
)
def test_what_is_no_card_number_is_not_found(text: str) -> None:
    assert not has_card_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "DE89370400440532013001",  # wrong check digits
        "DE8937040044053201300",  # too short
        "DE893704004405320130001",  # too long
        "XDE89370400440532013000",
        "ZZ89370400440532013000",  # no country
        "GB29",
    ],
)
def test_what_is_no_iban_is_not_found(text: str) -> None:
    assert not has_iban(text)


def test_a_card_number_is_found_before_its_expiry_date() -> None:
    assert has_card_number("4111 1111 1111 1111 12/27 123")
    assert has_card_number("no. 17 4111 1111 1111 1111")


def luhn_digit(digits: str) -> str:
    """The check digit by the textbook: from the right, every second digit twice, and the sum of all digits."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if position % 2 == 0 else 1)
        total += value // 10 + value % 10
    return str(-total % 10)


def iban_digits(country: str, account: str) -> str:
    """The check digits by ISO 13616: 98 less the remainder of the number with 00."""
    letters = "".join(str(ord(each) - 55) if each.isalpha() else each for each in f"{account}{country}00")
    return f"{98 - int(letters) % 97:02}"


CARD_STARTS = st.sampled_from([("4", 16), ("51", 16), ("2720", 16), ("34", 15), ("6011", 16), ("38", 14), ("3589", 17)])
SEPARATORS = st.sampled_from(["", " ", "-", ".", "_", "  ", " -"])


def separated(text: str, between: list[str]) -> str:
    return "".join(f"{each}{gap}" for each, gap in zip(text, [*between[: len(text) - 1], ""], strict=True))


@given(
    start=CARD_STARTS,
    digits=st.text("0123456789", min_size=20, max_size=20),
    between=st.lists(SEPARATORS, min_size=40, max_size=40),
    around=st.text("abc ,;\n", max_size=5),
)
def test_any_card_number_is_found_and_none_with_another_check_digit(
    start: tuple[str, int], digits: str, between: list[str], around: str
) -> None:
    prefix, length = start
    body = f"{prefix}{digits}"[: length - 1]
    right = luhn_digit(body)
    wrong = str((int(right) + 1) % 10)
    assert has_card_number(around + separated(body + right, between) + around)
    # Without separators, for a part of the digits may be a shorter number of another issuer.
    assert not has_card_number(around + body + wrong + around)


@given(
    country=st.sampled_from(sorted(IBAN_LENGTHS)),
    account=st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=30, max_size=30),
    between=st.lists(SEPARATORS, min_size=40, max_size=40),
)
def test_any_iban_is_found_and_none_with_other_check_digits(country: str, account: str, between: list[str]) -> None:
    account = account[: IBAN_LENGTHS[country] - 4]
    right = iban_digits(country, account)
    assert has_iban(f"to {separated(country + right + account, between)}!")
    wrong = f"{(int(right) + 1) % 100:02}"
    assert not has_iban(f"to {country}{wrong}{account}!")


@pytest.mark.parametrize("unit", ["1 ", "4-", "4", "DE89 ", "A", "A 1", "4111 1111 1111 1112 "])
def test_hostile_text_is_given_up_or_read_in_time_that_grows_with_it(unit: str) -> None:
    text = unit * (500_000 // len(unit))
    for search in (has_card_number, has_iban):
        try:
            assert not search(text)
        except StepError as error:
            assert f"{MAX_STARTS:,}" in str(error)  # noqa: PT017 - either way is right


def test_random_numbers_are_seldom_taken_for_cards() -> None:
    chance = random.Random(1)  # noqa: S311
    numbers = [str(chance.randrange(10**15, 10**16)) for _ in range(2_000)]
    assert sum(map(has_card_number, numbers)) < 80
