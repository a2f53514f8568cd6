"""Install the emulator's DuckDB extensions from their packages into ``$HOME/.duckdb``.

Runs in the emulator's environment. DuckDB would fetch them from its own server at the first use. The packages carry the
same signed files, and the signature is checked as usual.
"""

# mypy: ignore-errors
# The emulator's packages are in another environment; the type checker runs in the core one.

import importlib.util
from pathlib import Path

import duckdb

EXTENSIONS = ("ducklake", "icu", "spatial")


def main() -> None:
    """Install each extension and load it once."""
    connection = duckdb.connect()
    for name in EXTENSIONS:
        package = importlib.util.find_spec(f"duckdb_extension_{name}")
        folder = Path(package.origin).parent / "extensions" / f"v{duckdb.__version__}"
        (file,) = folder.glob("*.duckdb_extension*")
        connection.execute(f"INSTALL '{file}'")
        connection.execute(f"LOAD {name}")


if __name__ == "__main__":
    main()
