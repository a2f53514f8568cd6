"""Times as columns write them: a pattern of ``strftime``, or ``epoch_ms`` for milliseconds since 1970 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

EPOCH_MS = "epoch_ms"
_UTC = re.compile(r"(Z|\+00(:?00)?)$")


def written(moment: datetime, pattern: str, zone: ZoneInfo) -> str:
    """Return a civil ``moment`` of ``zone`` as a column of ``pattern`` has it; one that ends in Z or +00 is UTC."""
    instant = moment.replace(tzinfo=zone)
    if pattern == EPOCH_MS:
        return str(int(instant.timestamp() * 1000))
    return (instant.astimezone(UTC) if _UTC.search(pattern) else moment).strftime(pattern)


def year_of(text: str | None, pattern: str, zone: ZoneInfo) -> int | None:
    """Return the civil year of a column's value, None where it is no such time."""
    try:
        if pattern == EPOCH_MS:
            return datetime.fromtimestamp(int(text or "") / 1000, zone).year
        moment = datetime.strptime(text or "", pattern.replace("%-", "%")).replace(tzinfo=UTC)
        return (moment.astimezone(zone) if _UTC.search(pattern) else moment).year
    except (ValueError, OverflowError, OSError):
        return None
