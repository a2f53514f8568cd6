"""Archives are what the lock says, or they are not there."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest

from civicwire.stack import backport, jars
from civicwire.stack.jars import Archive
from schemas.errors import ConfigError, FatalError

CONTENT = b"content of the archive"
GOOD = Archive("kafka", "org.example:broker:jar:1.0", hashlib.sha256(CONTENT).hexdigest())


def registry_with(content: bytes):
    asked: list[str] = []

    def fetch(coordinate: str, cache: Path) -> Path:
        asked.append(coordinate)
        file = cache / coordinate.replace(":", "_")
        file.write_bytes(content)
        return file

    return fetch, asked


def quiet(line: str) -> None:
    pass


def test_an_archive_lands_under_its_part_with_the_registrys_name(tmp_path):
    fetch, _ = registry_with(CONTENT)
    jars.install(tmp_path, [GOOD], fetch, quiet)
    assert (tmp_path / "jars" / "kafka" / "broker-1.0.jar").read_bytes() == CONTENT


def test_an_archive_with_another_digest_is_refused_and_leaves_nothing(tmp_path):
    fetch, _ = registry_with(b"something else")
    with pytest.raises(FatalError, match=r"org.example:broker:jar:1.0 is not what was locked"):
        jars.install(tmp_path, [GOOD], fetch, quiet)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_is_in_place_is_not_fetched_again(tmp_path):
    fetch, asked = registry_with(CONTENT)
    jars.install(tmp_path, [GOOD], fetch, quiet)
    jars.install(tmp_path, [GOOD], fetch, quiet)
    assert asked == [GOOD.coordinate]


def test_an_archive_that_the_lock_no_longer_names_leaves_the_class_path(tmp_path):
    fetch, _ = registry_with(CONTENT)
    newer = Archive("kafka", "org.example:broker:jar:1.1", GOOD.sha256)
    jars.install(tmp_path, [GOOD], fetch, quiet)
    jars.install(tmp_path, [newer], fetch, quiet)
    assert [path.name for path in (tmp_path / "jars" / "kafka").iterdir()] == ["broker-1.1.jar"]


def test_the_registrys_archive_is_unpacked_and_replaced_when_it_changes(tmp_path):
    def tar(name: str) -> bytes:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            archive.addfile(tarfile.TarInfo(name))
        return packed.getvalue()

    for name in ("old", "new"):
        content = tar(name)
        archive = Archive("registry", f"org.example:app:tar.gz:all:{name}", hashlib.sha256(content).hexdigest())
        jars.install(tmp_path, [archive], registry_with(content)[0], quiet)
    assert (tmp_path / "registry" / "new").is_file()
    assert not (tmp_path / "registry" / "old").exists()


def test_a_classifier_stands_between_version_and_ending():
    assert Archive("registry", "io.apicurio:app:tar.gz:all:3.3.3").file == "app-3.3.3-all.tar.gz"


@pytest.mark.parametrize("line", ["kafka org.example:broker:jar:1.0", "kafka a:b:jar:1 md5:00", "a b c d"])
def test_a_line_of_the_lock_without_a_sha256_is_refused(tmp_path, line):
    lock = tmp_path / "jars.lock"
    lock.write_text(f"# a comment\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 2"):
        jars.locked(lock)


def test_the_committed_lock_has_every_archive_that_the_poms_ask_for():
    locked = {(archive.part, archive.coordinate) for archive in jars.locked()}
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    for pom in jars.POMS.glob("*.xml"):
        project = ET.parse(pom).getroot()  # noqa: S314  our own file
        for dependency in project.iterfind("m:dependencies/m:dependency", space):
            names = ("groupId", "artifactId", "type", "classifier", "version")
            found = {name: dependency.findtext(f"m:{name}", None, space) for name in names}
            found["type"] = found["type"] or "jar"
            coordinate = ":".join(value for name in names if (value := found[name]))
            assert (pom.stem, coordinate) in locked, f"{pom.name} was changed: run `make lock`"


def test_every_digest_of_the_committed_lock_is_a_sha256():
    assert all(re.fullmatch(r"[0-9a-f]{64}", archive.sha256) for archive in jars.locked())


def connector_that_polls_for(folder: Path, *milliseconds: int) -> bytes:
    code = b"before" + b"".join(b"\x05" + wait.to_bytes(8, "big") for wait in milliseconds) + b"after"
    with zipfile.ZipFile(folder / backport.CONNECTOR, "w") as made:
        made.writestr(backport.CLASS, code)
    return code


def test_the_kafka_source_gets_a_shorter_wait_and_nothing_else(tmp_path):
    code = connector_that_polls_for(tmp_path, 7, 10_000)
    backport.make(tmp_path)
    with zipfile.ZipFile(tmp_path / backport.ARCHIVE) as made:
        assert made.read(backport.CLASS) == code.replace((10_000).to_bytes(8, "big"), (500).to_bytes(8, "big"))
        assert "changed by civicwire" in made.read("META-INF/NOTICE").decode()
    assert backport.ARCHIVE < backport.CONNECTOR, "the class path is in the order of names"


def test_set_up_makes_the_shorter_wait_and_another_connector_takes_it_away(tmp_path):
    connector_that_polls_for(tmp_path, 10_000)
    content = (tmp_path / backport.CONNECTOR).read_bytes()
    coordinate = "org.apache.flink:flink-sql-connector-kafka:jar:{}"
    ours = Archive("flink", coordinate.format("5.0.0-2.2"), hashlib.sha256(content).hexdigest())
    jars.install(tmp_path, [ours], registry_with(content)[0], quiet)
    assert (tmp_path / "jars" / "flink" / backport.ARCHIVE).is_file()
    newer = Archive("flink", coordinate.format("9.0.0-2.2"), ours.sha256)
    jars.install(tmp_path, [newer], registry_with(content)[0], quiet)
    assert not (tmp_path / "jars" / "flink" / backport.ARCHIVE).exists()


@pytest.mark.parametrize("waits", [(), (5_000,), (10_000, 10_000)])
def test_a_connector_that_is_another_one_is_not_changed(tmp_path, waits):
    connector_that_polls_for(tmp_path, *waits)
    with pytest.raises(FatalError, match="does not poll"):
        backport.make(tmp_path)
    assert not (tmp_path / backport.ARCHIVE).exists()


def test_the_locked_connector_is_the_one_that_the_shorter_wait_is_made_for():
    assert backport.CONNECTOR in {archive.file for archive in jars.locked()}
