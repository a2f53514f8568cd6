"""``python -m dashboards``: write dashboards/generated/; ``--check`` only says whether it is up to date."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import austin, cities, denver, hate_crimes, is_it_true, los_angeles, pipeline

GENERATED = Path(__file__).parent / "generated"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of dashboards.

    Attributes:
        name: of the folder under ``generated/``.
        uid: in Grafana; never changes.
        title: for people.
        dashboards: file name without its ending, and the function that builds the dashboard, in reading order.
    """

    name: str
    uid: str
    title: str
    dashboards: dict[str, Callable[[], Dashboard]]


FOLDERS = (
    Folder(
        "cities",
        "civicwire-folder-cities",
        "Public safety by city",
        {
            "cities": cities.build,
            "austin": austin.build,
            "los_angeles": los_angeles.build,
            "denver": denver.build,
            "hate_crimes": hate_crimes.build,
        },
    ),
    Folder(
        "feeds",
        "civicwire-folder-feeds",
        "Feeds and pipeline",
        {"is_it_true": is_it_true.build, "pipeline": pipeline.build},
    ),
)


def documents() -> dict[str, str]:
    """Return the JSON text of every dashboard by its path under ``generated/``, in reading order."""
    return {
        f"{folder.name}/{name}.json": json.dumps(build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
        for folder in FOLDERS
        for name, build in folder.dashboards.items()
    }


def stale(folder: Path = GENERATED) -> list[str]:
    """Return the files of ``folder`` that are missing, differ from the code or belong to no dashboard."""
    wanted = documents()
    present = {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.json")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def write(folder: Path = GENERATED) -> list[str]:
    """Make ``folder`` agree with the code and return the files that were changed or removed."""
    changed = stale(folder)
    wanted = documents()
    for name in changed:
        file = folder / name
        if name in wanted:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(wanted[name], encoding="utf-8")
        else:
            file.unlink()
    return changed


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when a file is stale")
    if parser.parse_args().check:
        names = stale()
        if names:
            sys.stderr.write(
                f"Stale in {GENERATED.name}/: {', '.join(names)}. Run `python -m dashboards` and commit.\n"
            )
        return 1 if names else 0
    for name in write():
        sys.stdout.write(f"{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
