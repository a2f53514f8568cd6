"""``python3 -m civicwire.bootstrap [--dev]``: install all that the project needs, or see that it is there."""

import argparse
import sys

OLDEST = (3, 7)


def main() -> int:
    """Return the exit code: 0 all is in place, 1 a step failed, 3 this machine lacks something."""
    if sys.version_info < OLDEST:
        sys.stderr.write("error: this Python is too old even to set up. Run `make setup PYTHON=python3.11`.\n")
        return 3
    from civicwire.bootstrap.environments import set_up  # noqa: PLC0415  its syntax is too new for older Pythons
    from schemas.errors import CivicwireError  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="python3 -m civicwire.bootstrap", description=__doc__)
    parser.add_argument("--dev", action="store_true", help="also install what tests and checks need")
    try:
        set_up(dev=parser.parse_args().dev)
    except CivicwireError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
