"""``python -m civicwire.sandbox --port P --state DIR``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from civicwire.sandbox.server import run
from schemas.errors import CivicwireError


def main() -> int:
    """Run the portal and return the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m civicwire.sandbox", description="A portal that knows the truth.")
    parser.add_argument("--port", type=int, default=0, help="port, 0 for a free one (printed as JSON)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--state", type=Path, help="folder that keeps the rows; without it they live as long as this")
    arguments = parser.parse_args()
    try:
        if arguments.state is not None:
            run(arguments.host, arguments.port, arguments.state)
        else:
            with tempfile.TemporaryDirectory(prefix="civicwire-sandbox-") as state:
                run(arguments.host, arguments.port, Path(state))
    except CivicwireError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
