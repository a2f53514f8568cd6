"""Base images made on the spot and tagged with the official names, for where images cannot be pulled.

Debian comes from its own archive (debootstrap), Python from this machine, Java, Flink, Kafka and the registry from what
`make setup` installed. So what runs is the same software at the same versions; what is *not* the official image is its
entry point, its user database and its other programs. Run as root: ``python tests/compose/stand_ins.py``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from civicwire.bootstrap import interpreters
from civicwire.settings import ROOT
from civicwire.stack.installed import Installed

BASE = "civicwire-stand-in/debian:bookworm"
JAVA = "civicwire-stand-in/java:21"
PYTHONS = {"3.11": "python:3.11.14-slim-bookworm", "3.13": "python:3.13.9-slim-bookworm"}
FLINK = "flink:2.3.0-scala_2.12-java21"
KAFKA = "apache/kafka:4.3.1"
REGISTRY = "apicurio/apicurio-registry:3.3.3"
LIBRARIES = (
    "ca-certificates", "libssl3", "libffi8", "libsqlite3-0", "zlib1g", "libbz2-1.0", "liblzma5", "libreadline8",
    "libncursesw6", "libuuid1", "libexpat1", "tzdata", "netbase",
)  # fmt: skip
"""What a Python of a Debian machine is linked to."""
CERTIFICATES = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))

KAFKA_RUN = r"""#!/bin/bash
# As the official image does: KAFKA_A_B=c becomes a.b=c, storage is formatted once, then the broker runs.
set -e
properties=/etc/kafka/server.properties
env | grep '^KAFKA_' | grep -v '^KAFKA_HEAP_OPTS=' | while IFS='=' read -r name value; do
  name=${name#KAFKA_}; name=${name,,}; echo "${name//_/.}=$value"
done > "$properties"
java=(java $KAFKA_HEAP_OPTS -XX:+UseSerialGC -cp '/opt/kafka/libs/*')
cluster=5L6g3nShT-eMCtK--X86sw
"${java[@]}" kafka.tools.StorageTool format --cluster-id="$cluster" -c "$properties" --ignore-formatted
exec "${java[@]}" kafka.Kafka "$properties"
"""


def docker(*arguments: str, **options: object) -> None:
    """Run one docker command, with the builder that needs nothing pulled."""
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
    subprocess.run(["docker", *arguments], check=True, env=environment, **options)  # type: ignore[call-overload]


def there(image: str) -> bool:
    """Return whether the image is here already."""
    return subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode == 0


def build(image: str, context: Path, lines: str, *, ignored: tuple[str, ...] = ()) -> None:
    """Build ``image`` from the Dockerfile ``lines`` over ``context``."""
    if there(image):
        return
    with tempfile.TemporaryDirectory(prefix="civicwire-stand-in-") as folder:
        copy = Path(folder) / "context"
        copy.mkdir()
        shutil.copytree(context, copy / "content", symlinks=True, ignore=shutil.ignore_patterns(*ignored))
        (copy / "Dockerfile").write_text(lines, encoding="utf-8")
        docker("build", "-q", "--tag", image, str(copy))


def base() -> None:
    """Make Debian, with this machine's certificates."""
    if there(BASE):
        return
    with tempfile.TemporaryDirectory(prefix="civicwire-stand-in-") as folder:
        root = Path(folder) / "root"
        include = f"--include={','.join(LIBRARIES)}"
        subprocess.run(["debootstrap", "--variant=minbase", include, "bookworm", str(root)], check=True)
        shutil.rmtree(root / "var" / "cache" / "apt")
        shutil.copy(CERTIFICATES, root / "etc" / "ssl" / "certs" / "ca-certificates.crt")
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as archive:
            changes = [f"ENV {name}={bundle}" for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")]
            docker(
                "import",
                *(part for change in changes for part in ("--change", change)),
                "-",
                BASE,
                stdin=archive.stdout,
            )


def python(version: str, image: str) -> None:
    """Put a Python of this machine into an image."""
    found = interpreters.find((version,))
    if found is None:
        sys.exit(f"Python {version} is not on this machine: `make setup` says how to get it.")
    prefix = subprocess.run(
        [str(found), "-c", "import sys; print(sys.base_prefix)"], capture_output=True, text=True, check=True
    ).stdout.strip()
    build(
        image,
        Path(prefix),
        f"""
FROM {BASE}
COPY content/bin/python{version} /usr/local/bin/python{version}
COPY content/lib/ /usr/local/lib/
RUN cd /usr/local/bin && ln -s python{version} python3 && ln -s python{version} python && ldconfig
CMD ["python3"]
""",
        ignored=("site-packages", "test", "__pycache__", "config-*", "tcl*", "tk*", "share", "include"),
    )


def main() -> None:
    """Make those images that are not here."""
    installed = Installed(Path(os.environ.get("CIVICWIRE_PARTS", ROOT / ".parts")))
    base()
    for version, image in PYTHONS.items():
        python(version, image)
    build(
        JAVA,
        installed.java.parent.parent,
        f"""
FROM {BASE}
COPY content/ /opt/java/openjdk/
ENV JAVA_HOME=/opt/java/openjdk PATH=/opt/java/openjdk/bin:$PATH
""",
    )
    build(
        FLINK,
        installed.flink_home,
        f"""
FROM {JAVA}
RUN groupadd --gid 9999 flink && useradd --uid 9999 --gid 9999 --home-dir /opt/flink flink
COPY --chown=9999:9999 content/bin /opt/flink/bin
COPY --chown=9999:9999 content/conf /opt/flink/conf
COPY --chown=9999:9999 content/lib /opt/flink/lib
COPY --chown=9999:9999 content/opt /opt/flink/opt
COPY --chown=9999:9999 content/plugins /opt/flink/plugins
RUN chmod +x /opt/flink/bin/* && install -d -o 9999 -g 9999 /opt/flink/log
ENV FLINK_HOME=/opt/flink
""",
    )
    build(
        KAFKA,
        installed.folder / "jars" / "kafka",
        f"""
FROM {JAVA}
RUN useradd --uid 1000 --create-home appuser \\
 && install -d -o 1000 -g 1000 /var/lib/kafka /var/lib/kafka/data /etc/kafka /etc/kafka/docker
COPY content/ /opt/kafka/libs/
RUN printf '%s' '{_shell(KAFKA_RUN)}' | base64 -d > /etc/kafka/docker/run && chmod +x /etc/kafka/docker/run
USER appuser
CMD ["/etc/kafka/docker/run"]
""",
    )
    build(
        REGISTRY,
        installed.registry,
        f'FROM {JAVA}\nCOPY content/ /deployments/\nUSER 1001\nCMD ["java", "-jar", "/deployments/quarkus-run.jar"]\n',
    )


def _shell(script: str) -> str:
    import base64  # noqa: PLC0415

    return base64.b64encode(script.encode()).decode()


if __name__ == "__main__":
    main()
