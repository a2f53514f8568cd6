"""``python -m civicwire.seeds``: write the dbt seeds that say how far feeds can be compared; ``--check`` only looks.

feeds.csv and breaks.csv come from the source files, categories.csv from the taxonomy, so that a mart or a panel joins
what is written down once, next to the feed itself.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterable
from pathlib import Path

from civicwire.settings import ROOT
from producers import catalog
from stream_jobs import taxonomy

SEEDS = ROOT / "dbt" / "seeds"


def documents() -> dict[str, str]:
    """Return the CSV text of every generated seed by its file name."""
    feeds = catalog.load_all().values()
    return {
        "feeds.csv": _csv(
            ("source", "title", "kind", "unit", "means", "time_zone", "licence"),
            (
                (one.key, one.title, one.kind, one.counts.unit, one.counts.means, one.time_zone, one.licence)
                for one in feeds
            ),
        ),
        "breaks.csv": _csv(
            ("source", "break_date", "effect", "what"),
            ((one.key, found.date.isoformat(), found.effect, found.what) for one in feeds for found in one.breaks),
        ),
        "categories.csv": _csv(
            ("category", "crime_against", "index_crime", "nibrs", "means"),
            (
                (one.name, one.crime_against or "", one.index_crime or "", " ".join(one.nibrs), one.means)
                for one in taxonomy.categories().values()
            ),
        ),
    }


def stale(folder: Path = SEEDS) -> list[str]:
    """Return the generated seeds of ``folder`` that are missing or differ from what they are made from."""
    return sorted(
        name
        for name, text in documents().items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    )


def write(folder: Path = SEEDS) -> list[str]:
    """Make ``folder`` agree with what the seeds are made from and return the files that were changed."""
    wanted = documents()
    changed = stale(folder)
    for name in changed:
        (folder / name).write_text(wanted[name], encoding="utf-8")
    return changed


def _csv(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m civicwire.seeds", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when a file is stale")
    if parser.parse_args().check:
        names = stale()
        if names:
            sys.stderr.write(f"Stale in dbt/seeds/: {', '.join(names)}. Run `make generate` and commit.\n")
        return 1 if names else 0
    for name in write():
        sys.stdout.write(f"{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
