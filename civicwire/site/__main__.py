"""``python -m civicwire.site [--to FOLDER]``: make the documentation site, which opens from the file system.

dbt's own pages in it have the warehouse's catalogue where the emulator runs, and none where it does not.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from civicwire.settings import ROOT, Settings
from civicwire.site.make import make
from schemas.errors import CivicwireError

FOLDER = ROOT / "build" / "docs"


def main() -> int:
    """Return 0 when the site is made, 1 when a step failed, 2 for wrong input, 3 when this machine lacks something."""
    parser = argparse.ArgumentParser(prog="python -m civicwire.site", description=__doc__)
    parser.add_argument("--to", type=Path, default=FOLDER, help="folder of the site (build/docs)")
    started = time.monotonic()
    folder = parser.parse_args().to
    try:
        pages = make(folder, Settings())
    except CivicwireError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(f"{pages} pages in {time.monotonic() - started:.1f} s: open {folder / 'index.html'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
