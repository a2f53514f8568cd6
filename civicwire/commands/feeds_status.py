"""The per-feed part of ``civicwire status``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from civicwire.settings import Settings

SUMMED = ("inserted", "revised", "deleted", "late", "dead")


def rows(settings: Settings) -> list[dict[str, Any]]:
    """Return one row for each source: last poll, rows, sums over all polls, lag and freshness.

    ``lag`` is how many records of the line's topics the warehouse writer has not loaded yet (all feeds share them);
    ``freshness_hours`` is how old the newest event is, in hours of the feed's own civil time.

    Raises:
        EnvironmentMissingError: the broker or the registry is not running.
    """
    from civicwire.polling import last_receipts
    from producers import catalog
    from stream_jobs.warehouse.progress import lag as writer_lag

    receipts = last_receipts(settings)
    lag = sum(writer_lag(settings).values())
    now = datetime.now(UTC)
    result = []
    for source in catalog.load_all().values():
        polls = receipts.get(source.key, [])
        last = polls[-1] if polls else None
        good = [poll for poll in polls if poll["status"] != "failed"]
        newest = good[-1]["newest_event_local"] if good else None
        age = None
        if newest:
            age = round((now - datetime.fromisoformat(newest).replace(tzinfo=source.zone)).total_seconds() / 3600, 1)
        result.append(
            {
                "source": source.key,
                "last_poll": last["started_at"].isoformat(timespec="seconds") if last else None,
                "status": last["status"] if last else "never polled",
                "polls": len(polls),
                "rows": good[-1]["live_rows"] if good else 0,
                **{name: sum(poll[name] for poll in polls if poll["status"] == "changed") for name in SUMMED},
                "lag": lag,
                "newest_event": newest,
                "freshness_hours": age,
                "error": last["error"] if last else None,
            }
        )
    return result
