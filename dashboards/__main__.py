"""``python -m dashboards``: write what is generated in dashboards/; ``--check`` only says whether it is up to date.

That is the JSON of the dashboards, in ``generated/``, and the alert rules as Grafana's provisioning reads them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from dashboards import alerts
from dashboards.folders import FOLDERS, plain

ROOM = Path(__file__).parent
GENERATED = "generated"
RULES = "provisioning/alerting/rules.yaml"
_RULES_HEAD = """\
# Written by `python -m dashboards` from dashboards/alerts.py: change it there.
# Grafana replaces ${…} from its own environment, and $$ by $:
#   CIVICWIRE_DATASET  dataset of the warehouse, civicwire on the emulator
#   CIVICWIRE_DOCS     where docs/ is read, for the links to the runbooks
"""


def documents() -> dict[str, str]:
    """Return the text of every generated file by its path in this room, the dashboards in reading order."""
    boards = {
        f"{GENERATED}/{folder.name}/{name}.json": json.dumps(plain(build()), indent=2, sort_keys=True) + "\n"
        for folder in FOLDERS
        for name, build in folder.dashboards.items()
    }
    return {**boards, RULES: _RULES_HEAD + yaml.safe_dump(_provisioned(), sort_keys=False, width=1000)}


def _provisioned() -> dict[str, Any]:
    """Return the alert rules as a provisioning file has them: no numbers of organisations, templates escaped."""
    group: Any = plain(alerts.group())
    rules = [
        {name: value for name, value in rule.items() if name not in {"folderUID", "orgID", "ruleGroup"}}
        for rule in group["rules"]
    ]
    interval = f"{group['interval']}s"
    placed = {"orgId": 1, "name": group["title"], "folder": alerts.FOLDER_TITLE, "interval": interval, "rules": rules}
    found: dict[str, Any] = json.loads(_TEMPLATE.sub("$$", json.dumps({"apiVersion": 1, "groups": [placed]})))
    return found


_TEMPLATE = re.compile(r"\$(?!\{)")
"""A dollar that is not the environment's: Grafana's provisioning reads two of them as one."""


def stale(room: Path = ROOM) -> list[str]:
    """Return the generated files of ``room`` that are missing, differ from the code or belong to no dashboard."""
    wanted = documents()
    files = [*(room / GENERATED).rglob("*.json"), *room.glob(RULES)]
    present = {path.relative_to(room).as_posix(): path.read_text(encoding="utf-8") for path in files}
    return sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))


def write(room: Path = ROOM) -> list[str]:
    """Make ``room`` agree with the code and return the files that were changed or removed."""
    changed = stale(room)
    wanted = documents()
    for name in changed:
        file = room / name
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
            sys.stderr.write(f"Stale in dashboards/: {', '.join(names)}. Run `python -m dashboards` and commit.\n")
        return 1 if names else 0
    for name in write():
        sys.stdout.write(f"{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
