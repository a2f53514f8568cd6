"""The Java archives of the stack: locked by coordinate and SHA-256, fetched once, verified before use.

``poms/<part>.xml`` says what a part needs. ``make lock`` resolves it with Maven (a developer's tool) into
``jars.lock``, one line per archive: part, coordinate, digest. Set-up only fetches what the lock names; neither Maven
nor Java has to be on the machine. Archives end in ``<parts>/jars/<part>/``.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from civicwire.stack import backport
from schemas.errors import ConfigError, EnvironmentMissingError, FatalError

LOCK = Path(__file__).with_name("jars.lock")
POMS = Path(__file__).with_name("poms")
FETCHES_AT_ONCE = 6
"""Most archives are small, so the time goes into round trips; the registry allows several at once."""
TIMEOUT_SECONDS = 60
_LISTED = re.compile(r"^\s+(?P<coordinate>[\w.\-]+(?::[\w.\-]+){4,5})(?:\s|$)")
_SCOPES = ("compile", "runtime")


@dataclass(frozen=True, slots=True, order=True)
class Archive:
    """One locked archive; ``coordinate`` is ``group:artifact:packaging[:classifier]:version``."""

    part: str
    coordinate: str
    sha256: str = ""

    @property
    def file(self) -> str:
        """File name that the registry gives it."""
        _, artifact, packaging, *classifier, version = self.coordinate.split(":")
        return "-".join([artifact, version, *classifier]) + f".{packaging}"


def locked(lock: Path = LOCK) -> list[Archive]:
    """Return the archives that the lock names.

    Raises:
        ConfigError: a line is not ``part coordinate sha256:digest``.
    """
    archives = []
    for number, line in enumerate(lock.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            part, coordinate, digest = line.split()
            algorithm, sha256 = digest.split(":")
        except ValueError:
            algorithm = ""
        if algorithm != "sha256":
            raise ConfigError(f"{lock.name} line {number} is not `part coordinate sha256:digest`. Run `make lock`.")
        archives.append(Archive(part, coordinate, sha256))
    return archives


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file as hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def missing(parts: Path, archives: Iterable[Archive]) -> list[Archive]:
    """Return those of ``archives`` that are not in place yet (presence only: they were verified on arrival)."""
    return [archive for archive in archives if not place(parts, archive).is_file()]


def place(parts: Path, archive: Archive) -> Path:
    """Return where an archive lies once it is installed."""
    return parts / "jars" / archive.part / archive.file


def install(
    parts: Path,
    archives: Iterable[Archive],
    fetch: Callable[[str, Path], Path] | None = None,
    progress: Callable[[str], None] = print,
) -> None:
    """Fetch, verify and put in place what is missing, and remove archives that the lock no longer names.

    Args:
        parts: the folder of environments and jars.
        archives: what the lock names.
        fetch: ``(coordinate, cache folder) -> file``; by default from the registry.
        progress: told one line now and then.

    Raises:
        FatalError: an archive's content is not what was locked; nothing of it is kept.
        EnvironmentMissingError: the registry does not answer.
    """
    archives = list(archives)
    wanted = missing(parts, archives)
    if wanted:
        progress(f"fetching {len(wanted)} Java archives")
    with tempfile.TemporaryDirectory(prefix="civicwire-jars-") as cache, ThreadPoolExecutor(FETCHES_AT_ONCE) as pool:

        def one(archive: Archive) -> None:
            _verified_into_place(parts, archive, (fetch or from_registry)(archive.coordinate, Path(cache)))

        for number, _ in enumerate(pool.map(one, wanted), start=1):
            if number % 10 == 0 or number == len(wanted):
                progress(f"fetched {number} of {len(wanted)}")
    _remove_unlocked(parts, archives)
    _unpack_registry(parts, archives)
    for archive in archives:
        if archive.file == backport.CONNECTOR:
            backport.make(place(parts, archive).parent)


def _verified_into_place(parts: Path, archive: Archive, fetched: Path) -> None:
    actual = digest_of(fetched)
    if actual != archive.sha256:
        raise FatalError(
            f"{archive.coordinate} is not what was locked: SHA-256 is {actual}, {LOCK.name} says {archive.sha256}. "
            "It was not installed. Run `make setup` again; if it stays so, the registry or the network changes files."
        )
    target = place(parts, archive)
    target.parent.mkdir(parents=True, exist_ok=True)
    arriving = target.with_suffix(f".{os.getpid()}.arriving")
    shutil.copyfile(fetched, arriving)
    arriving.replace(target)


def _remove_unlocked(parts: Path, archives: list[Archive]) -> None:
    keep = {place(parts, archive) for archive in archives}
    for present in (parts / "jars").glob("*/*"):
        if present not in keep:
            present.unlink()


def _unpack_registry(parts: Path, archives: list[Archive]) -> None:
    for archive in archives:
        if not archive.file.endswith(".tar.gz"):
            continue
        target = parts / archive.part
        stamp = target / ".sha256"
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == archive.sha256:
            continue
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        with tarfile.open(place(parts, archive)) as content:
            content.extractall(target, filter="data")
        stamp.write_text(archive.sha256, encoding="utf-8")


def from_registry(coordinate: str, cache: Path) -> Path:
    """Fetch one archive by coordinate and return the file in ``cache``.

    Raises:
        EnvironmentMissingError: the registry does not serve it or does not answer.
    """
    # jgo resolves dependencies wrongly (an older kafka-clients than the broker), so it is only let fetch.
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415  only needed when something is missing

    group, artifact, packaging, *classifier, version = coordinate.split(":")
    context = MavenContext(resolver=PythonResolver(), repo_cache=cache, timeout=TIMEOUT_SECONDS)
    component = context.project(group, artifact).at_version(version)
    try:
        file = component.artifact(classifier=classifier[0] if classifier else "", packaging=packaging).resolve()
    except Exception as error:
        raise EnvironmentMissingError(
            f"Cannot fetch {coordinate}: {error}. Check that this machine reaches Maven Central, then run `make setup`."
        ) from error
    if file is None:
        raise EnvironmentMissingError(
            f"Maven Central does not serve {coordinate}. Correct the pom and run `make lock`."
        )
    return Path(file)


def lock(poms: Path = POMS, target: Path = LOCK) -> int:
    """Resolve the poms with Maven, fetch everything and write the lock; return how many archives it names.

    Raises:
        EnvironmentMissingError: Maven is not on the machine.
    """
    with _scratch() as cache:
        archives = [
            Archive(pom.stem, coordinate, digest_of(from_registry(coordinate, cache)))
            for pom in sorted(poms.glob("*.xml"))
            for coordinate in resolved(pom, cache)
        ]
    lines = "".join(f"{archive.part} {archive.coordinate} sha256:{archive.sha256}\n" for archive in sorted(archives))
    target.write_text(f"# Made by `make lock` from poms/*.xml; not edited by hand.\n{lines}", encoding="utf-8")
    return len(archives)


def resolved(pom: Path, scratch: Path) -> list[str]:
    """Return the coordinates of what a pom needs at run time, resolved by Maven."""
    maven = shutil.which("mvn")
    if maven is None:
        raise EnvironmentMissingError("Maven makes the lock and is not here. Install it: `apt-get install maven`.")
    listing = scratch / f"{pom.stem}.list"
    command = [
        maven,
        "-q",
        "-B",
        "-f",
        str(pom),
        "dependency:list",
        f"-DoutputFile={listing}",
        "-DincludeScope=runtime",
    ]
    subprocess.run(command, check=True)
    found = [match["coordinate"] for match in map(_LISTED.match, listing.read_text("utf-8").splitlines()) if match]
    return [coordinate.rsplit(":", 1)[0] for coordinate in found if coordinate.endswith(_SCOPES)]


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="civicwire-lock-") as folder:
        yield Path(folder)


def main() -> None:
    """``python -m civicwire.stack.jars lock`` or ``install <parts folder> [<part> ...]``."""
    match sys.argv[1:]:
        case ["lock"]:
            sys.stdout.write(f"{LOCK.name}: {lock()} archives\n")
        case ["install", parts, *chosen]:
            archives = [archive for archive in locked() if not chosen or archive.part in chosen]
            install(Path(parts), archives, progress=lambda line: print(line, flush=True))  # noqa: T201  it is the output
        case _:
            sys.exit("usage: python -m civicwire.stack.jars lock | install <parts folder> [<part> ...]")


if __name__ == "__main__":
    main()
