"""The list of real resource types in docs/local-aws.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from moto.cloudformation.parsing import get_model_map

from workmail_local.aws.cloudformation.providers import OWN_PROVIDERS, provider_for

pytestmark = pytest.mark.xdist_group("aws")

PAGE = Path(__file__).parents[3] / "docs" / "local-aws.md"
_NO_TYPES = {"?", "AWS::SERVICE::RESOURCE"}


def test_the_page_lists_exactly_the_types_that_are_real() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    listed = {f"{service}::{name}" for service, names in rows for name in re.findall(r"`([^`]+)`", names)}
    real = (get_model_map().keys() | OWN_PROVIDERS.keys()) - _NO_TYPES
    assert listed == real
    assert all(provider_for(name).real for name in listed)


@pytest.mark.parametrize("name", ["AWS::CloudWatch::Alarm", "AWS::SES::ReceiptRule", "Custom::Anything", "Alexa::X::Y"])
def test_other_types_are_data_only(name: str) -> None:
    assert not provider_for(name).real
