"""``python -m dashboards``: write dashboards/generated/*.json; ``--check`` only says whether they are up to date."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import public_safety

GENERATED = Path(__file__).parent / "generated"
DASHBOARDS = {"public_safety": public_safety.build}
"""File name without its ending, and the function that builds the dashboard."""


def documents() -> dict[str, str]:
    """Return the JSON text of every dashboard by its file name."""
    return {
        f"{name}.json": json.dumps(build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
        for name, build in DASHBOARDS.items()
    }


def stale(folder: Path = GENERATED) -> list[str]:
    """Return the files of ``folder`` that are missing, differ from the code or belong to no dashboard."""
    wanted = documents()
    present = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def write(folder: Path = GENERATED) -> list[str]:
    """Make ``folder`` agree with the code and return the files that were changed or removed."""
    changed = stale(folder)
    wanted = documents()
    folder.mkdir(exist_ok=True)
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
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
