"""Finds card numbers and IBANs in text, also with spaces, dashes and dots between their digits."""

from __future__ import annotations

import re

from workmail_rules.step_errors import StepError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

MAX_STARTS: Final = 100_000
"""Places of one text where a number may begin; looking at one takes some microseconds."""

_BETWEEN: Final = r"[ ._\-]{0,2}"
# At least twelve digits; a run of digits and what may stand between them is found in one pass.
_DIGITS: Final = re.compile(rf"[0-9](?:{_BETWEEN}[0-9]){{11,}}")
_GROUP: Final = re.compile("[0-9]+")
_MAX_CARD: Final = 19

# By prefix and length, as the issuers give them out.
_CARD: Final = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-59]|[689][0-9])[0-9]{11}"  # Diners Club
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"  # JCB
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2}|62[0-9]{2})[0-9]{12,15}"  # Discover, UnionPay
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{8,15}"  # Maestro
)
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

_IBAN_START: Final = re.compile(rf"(?<![A-Za-z0-9])[A-Za-z]{_BETWEEN}[A-Za-z](?:{_BETWEEN}[0-9]){{2}}")
_IBAN_CHARACTER: Final = re.compile(rf"{_BETWEEN}([A-Za-z0-9])")

# The registry of ISO 13616: characters of an IBAN by country.
IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip


def has_card_number(text: str) -> bool:
    """Whether a card number stands in the text: an issuer's prefix and length, and Luhn's check digit.

    A number begins and ends where digits begin and end, so none is found inside a longer row of digits.
    """
    starts = 0
    for run in _DIGITS.finditer(text):
        groups = _GROUP.findall(run[0])
        starts += len(groups)
        _check(starts)
        if any(_CARD.fullmatch(number) and _is_luhn(number) for number in _joined(groups)):
            return True
    return False


def has_iban(text: str) -> bool:
    """Whether an IBAN stands in the text: a country's length, and the check digits of ISO 7064."""
    for count, start in enumerate(_IBAN_START.finditer(text)):
        _check(count)
        if _is_iban(text, start.start()):
            return True
    return False


def _joined(groups: list[str]) -> Iterator[str]:
    """Return what groups of digits in a row make, as far as a card number can be so long."""
    for index, first in enumerate(groups):
        if first[0] not in "23456":
            continue
        number = ""
        for group in groups[index : index + _MAX_CARD]:
            number += group
            if len(number) > _MAX_CARD:
                break
            yield number


def _is_luhn(number: str) -> bool:
    odd, even = number[-1::-2], number[-2::-2]
    return (sum(map(int, odd)) + sum(_DOUBLED[int(digit)] for digit in even)) % 10 == 0


def _is_iban(text: str, start: int) -> bool:
    found = ""
    wanted = 0
    position = start
    while match := _IBAN_CHARACTER.match(text, position):
        found += match[1].upper()
        position = match.end()
        if len(found) == 2:
            wanted = IBAN_LENGTHS.get(found, 0)
            if not wanted:
                return False
        if len(found) == wanted:
            break
    if not wanted or len(found) != wanted or text[position : position + 1].isalnum():
        return False
    return int("".join(str(int(each, 36)) for each in found[4:] + found[:4])) % 97 == 1


def _check(starts: int) -> None:
    if starts > MAX_STARTS:
        message = f"a text has more than {MAX_STARTS:,} places where a number may begin, and is not read to its end"
        raise StepError(message)
