"""How a column writes times, told from its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

CatalogFormat = Literal["iso", "us", "epoch_ms", "year"]
DAY_MS = 86_400_000
AGREED = 0.95
"""Share of the values that must have one form: the rest are typing errors, which end as dead letters."""
FIRST_MS, LAST_MS = -2_208_988_800_000, 4_102_444_800_000
"""1900 and 2100 in milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way of writing times.

    Attributes:
        catalog: the source file's word for it.
        pattern: how the sandbox portal writes it: a pattern of strftime, or epoch_ms.
        dated: whether every value seen is a day without a time of day.
        precision: second or minute, by what the values seen hold, where they have a time of day.
        utc: whether the values say that they are UTC.
    """

    catalog: CatalogFormat
    pattern: str
    dated: bool
    precision: Literal["second", "minute"]
    utc: bool = False


_ISO = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})(?P<t>[T ])?(?P<minute>\d{2}:\d{2})?(?P<second>:\d{2})?(?P<fraction>\.\d+)?"
    r"(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)?"
)
_US = re.compile(
    r"(?P<day>\d{1,2}/\d{1,2}/\d{4})(?: (?P<minute>\d{1,2}:\d{2})(?P<second>:\d{2})?(?P<half> ?[AP]M)?)?", re.IGNORECASE
)
_YEAR = re.compile(r"(19|20)\d{2}(\.0)?")
_CLOCK = re.compile(r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?")
_DIGITS = re.compile(r"(?:[01]?\d|2[0-3])?[0-5]?\d")


def form_of(values: Sequence[str], *, epoch: bool = False, year: bool = False) -> Form | None:
    """Return how ``values`` write times, None where they do not.

    Args:
        values: what a column holds, no blanks.
        epoch: whether the portal says that they are times since 1970; otherwise numbers are numbers.
        year: whether the column's name says that four digits are a year.
    """
    stripped = [value.strip() for value in values]
    if not stripped:
        return None
    if epoch:
        return _epoch(stripped)
    for read in (_iso, _us):
        found = read(stripped)
        if found is not None:
            return found
    if year and _agree(stripped, _YEAR):
        return Form("year", "%Y", dated=True, precision="minute")
    return None


def clock_pattern(values: Sequence[str]) -> str | None:
    """Return how ``values`` write a time of day, as a pattern of strftime; None where they do not."""
    stripped = [value.strip() for value in values]
    if not stripped:
        return None
    if _agree(stripped, _CLOCK):
        return "%H:%M:%S" if sum(value.count(":") for value in stripped) > len(stripped) else "%H:%M"
    # Unpadded HHMM: 5 is five past midnight. Three digits and more tell it from an hour or a code.
    if _agree(stripped, _DIGITS) and sum(len(value) > 2 for value in stripped) > len(stripped) / 2:  # noqa: PLR2004
        return "%H%M"
    return None


def _agree(values: Sequence[str], pattern: re.Pattern[str]) -> bool:
    return sum(pattern.fullmatch(value) is not None for value in values) >= AGREED * len(values)


def _matches(values: Sequence[str], pattern: re.Pattern[str]) -> list[re.Match[str]] | None:
    found = [match for match in map(pattern.fullmatch, values) if match]
    return found if len(found) >= AGREED * len(values) else None


def _most(matches: list[re.Match[str]], group: str) -> bool:
    return sum(match[group] is not None for match in matches) > len(matches) / 2


def _iso(values: Sequence[str]) -> Form | None:
    matches = _matches(values, _ISO)
    if matches is None:
        return None
    clocked = _most(matches, "minute")
    offsets = {match["offset"] for match in matches if match["offset"]}
    utc = bool(offsets) and all(offset.strip("Z+-0:") == "" for offset in offsets)
    pattern = "%Y-%m-%d"
    if clocked:
        pattern += "T%H:%M" if any(match["t"] == "T" for match in matches) else " %H:%M"
        pattern += ":%S" if _most(matches, "second") else ""
        pattern += ".000" if _most(matches, "fraction") else ""
        pattern += max(offsets) if utc else ""
    return Form(
        "iso",
        pattern,
        dated=all(match["minute"] in (None, "00:00") and match["second"] in (None, ":00") for match in matches),
        precision=_precision(matches),
        utc=utc,
    )


def _us(values: Sequence[str]) -> Form | None:
    matches = _matches(values, _US)
    if matches is None:
        return None
    clocked, halved = _most(matches, "minute"), _most(matches, "half")
    padded = all(len(match["day"]) == len("01/01/2026") for match in matches)
    pattern = "%m/%d/%Y" if padded else "%-m/%-d/%Y"
    if clocked:
        hour = "%I" if padded else "%-I"
        pattern += f" {hour}:%M" if halved else " %H:%M"
        pattern += ":%S" if _most(matches, "second") else ""
        pattern += " %p" if halved else ""
    dated = all(_is_midnight(match) for match in matches)
    return Form("us", pattern, dated=dated, precision=_precision(matches))


def _is_midnight(match: re.Match[str]) -> bool:
    """Return whether an American time is a day without a time of day, or its very beginning."""
    if match["minute"] is None:
        return True
    half = (match["half"] or "").strip().upper()
    return (
        match["minute"] == ("12:00" if half == "AM" else "00:00") and half != "PM" and match["second"] in (None, ":00")
    )


def _precision(matches: list[re.Match[str]]) -> Literal["second", "minute"]:
    return "minute" if all(match["second"] in (None, ":00") for match in matches) else "second"


def _epoch(values: Sequence[str]) -> Form | None:
    numbers = [int(value) for value in values if re.fullmatch(r"-?\d{1,14}", value)]
    if len(numbers) < AGREED * len(values) or not all(FIRST_MS <= number < LAST_MS for number in numbers):
        return None
    whole: Callable[[int], bool] = lambda unit: all(number % unit == 0 for number in numbers)  # noqa: E731
    return Form("epoch_ms", "epoch_ms", dated=whole(DAY_MS), precision="minute" if whole(60_000) else "second")
