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
    ],
)
def test_a_value_reads_as_its_unit_says(value: Any, unit: str | None, text: str):
    assert units.text(value, unit) == text
