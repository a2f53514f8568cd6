"""``python -m civicwire.smoke``: the demo against the warehouse that is set, in datasets that are deleted afterwards.

Meant for a person with a BigQuery project (``make smoke-bigquery``); with the emulator as target it tests itself.
"""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from civicwire.commands import console
from civicwire.settings import ROOT, Settings
from schemas.errors import CivicwireError
from stream_jobs.warehouse.connection import connect, explained

ROWS = 2_000
"""Enough for a load job and for appends, which are what the writer chooses between."""
EXPIRY_DAYS = 1
"""Should the deletion at the end fail, the tables go by themselves."""


def smoke(rows: int = ROWS) -> bool:
    """Run the demo and return whether every figure equals the portal's truth.

    The datasets are ``civicwire_smoke_<time>`` and those beside it; they are gone afterwards, as is the local stack.

    Raises:
        CivicwireError: a step failed; the message says which.
    """
    from civicwire.demo import Demo  # noqa: PLC0415 - heavy
    from civicwire.stack import running  # noqa: PLC0415

    told = console().print
    with tempfile.TemporaryDirectory(prefix="civicwire-smoke-") as home:
        # The stack and the jobs are started as processes, which read the environment.
        os.environ["CIVICWIRE_HOME"] = str(Path(home) / "home")
        os.environ["CIVICWIRE_DATASET"] = f"civicwire_smoke_{datetime.now(UTC):%Y%m%d_%H%M%S}"
        os.environ["CIVICWIRE_TABLE_EXPIRY_DAYS"] = str(EXPIRY_DAYS)
        settings = Settings()
        told(f"{settings.target}: datasets {settings.dataset}* of {settings.project} in {settings.location}")
        try:
            outcome = Demo(settings, told).run(rows, seed=1)
        finally:
            try:
                _delete(settings)
            finally:
                running.stop(settings, purge=True)
    for figure in outcome.figures:
        equal = figure["portal"] == figure["warehouse"]
        told(f"{'equal' if equal else 'DIFFERS'}  {figure['source']}: {figure['figure']}")
    return outcome.equal


def _delete(settings: Settings) -> None:
    """Delete the three datasets; an emulator that never came up has none."""
    if settings.target == "emulator" and settings.endpoints().warehouse is None:
        return
    warehouse = connect(settings)
    try:
        with explained(f"Delete the datasets {settings.dataset}* yourself."):
            for name in (settings.dataset, warehouse.stage, f"{settings.dataset}_marts"):
                warehouse.client.delete_dataset(f"{settings.project}.{name}", delete_contents=True, not_found_ok=True)
    finally:
        warehouse.close()


def main() -> int:
    """Return the exit code: 0 all equal, 1 a step failed or a figure differs, 2 wrong settings, 3 something missing."""
    from dotenv import load_dotenv  # noqa: PLC0415

    load_dotenv(ROOT / ".env")
    try:
        return 0 if smoke() else 1
    except CivicwireError as error:
        console(stderr=True).print(f"[red]error:[/red] {error}", highlight=False, soft_wrap=True)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
