"""Values as people read them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from civicwire.preview import units


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1234567, "locale", "1,234,567"),
        (0, "locale", "0"),
        (12.5, "locale", "12.50"),
        (None, "locale", "–"),  # noqa: RUF001 the dash is what is shown
        ("theft", None, "theft"),
        (date(2024, 2, 1), None, "2024-02-01"),
        (59, "s", "59 seconds"),
        (60, "s", "1 minute"),
        (90, "s", "1.5 minutes"),
        (3 * 3600, "s", "3 hours"),
        (49 * 3600, "s", "2 days"),
        (700 * 86400, "s", "1.9 years"),
        (3.25, "s", "3.2 seconds"),
        (36, "h", "1.5 days"),
        (0.1234, "percentunit", "12.3 %"),
        (3 * 1024 * 1024, "bytes", "3.0 MiB"),
        (512, "bytes", "512 B"),
        (34.5, "suffix:years", "34.50 years"),
        (1234, "none", "1,234"),
    ],
)
def test_a_value_reads_as_its_unit_says(value: Any, unit: str | None, text: str):
    assert units.text(value, unit) == text


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "text"),
    [
        (0.1234, "percentunit", 0, "12 %"),
        (0.1234, None, 2, "0.12"),
        (7, "none", 1, "7.0"),
        (34.56, "suffix:years", 1, "34.6 years"),
    ],
)
def test_decimals_are_kept_where_they_are_said(value: float, unit: str | None, decimals: int, text: str):
    assert units.text(value, unit, decimals) == text
