"""The schema of the google provider, read from the TypeScript that cdktf generated from it.

The provider itself is not on any package registry, but ``cdktf-cdktf-provider-google`` is: its generator wrote a class
for every resource and, above every attribute, what the provider says of it::

    // dataset_id - computed: false, optional: false, required: true

The classes are shipped compiled, each with a source map that holds the original text. What is not in there, and so is
not checked: a provider's own validation of values, sensitive and write-only marks, and upper bounds of repeated blocks.
"""

from __future__ import annotations

import base64
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from schemas.errors import FatalError

CtyType: TypeAlias = "str | list[Any]"
"""A type in Terraform's JSON notation: ``"string"``, ``["list", "string"]``, ``["list", ["object", {…}]]``."""

PROVIDER = "provider"
"""The package's folder of the provider's own configuration."""

_SOURCE_MAP = re.compile(r"//# sourceMappingURL=data:application/json;base64,(\S+)\s*$")
_CLASS = re.compile(r"^export class (\w+) extends cdktf\.\w+ \{$", re.MULTILINE)
_NEXT = re.compile(r"^export (?:class|interface|function) ", re.MULTILINE)
_MEMBER = re.compile(
    r"^  // (\w+) - computed: (true|false), optional: (true|false), required: (true|false)$", re.MULTILINE
)
_CONFIGURED = re.compile(
    r"^ +(\w+): \{\n +value: .*\n +isBlock: (true|false),\n"
    r' +type: "(\w+)",\n +storageClassType: "(\w+)",\n +\},$',
    re.MULTILINE,
)
_HCL_FUNCTION = re.compile(r"^export function (\w+)ToHclTerraform\(.*?^\}$", re.MULTILINE | re.DOTALL)
_NESTED = re.compile(r"= new (?!cdktf\.)(\w+?)(OutputReference|List|Map)?\(this, \"\w+\"(?:, (true|false))?\)")
_GETTER = re.compile(r"this\.get(\w+)Attribute\('\w+'\)")
_VERSION = re.compile(r"providerVersion: '([\d.]+)'")
_SIMPLE = {"String": "string", "Number": "number", "Boolean": "bool"}
_LISTS = {"List": "string", "NumberList": "number"}
_MAPS = {"StringMap": "string", "NumberMap": "number", "BooleanMap": "bool"}
_ELEMENT = {"string": "string", "number": "number", "boolean": "bool"}


@dataclass(frozen=True, slots=True)
class Attribute:
    """An argument or a value that the provider computes."""

    type: CtyType
    required: bool = False
    optional: bool = False
    computed: bool = False


@dataclass(frozen=True, slots=True)
class Nested:
    """A block inside a block: ``nesting`` is single, list or set; ``max_items`` is 0 where many may stand."""

    block: Block
    nesting: str
    min_items: int
    max_items: int


@dataclass(frozen=True, slots=True)
class Block:
    """What may stand in a resource or in a block of it."""

    attributes: dict[str, Attribute] = field(default_factory=dict)
    blocks: dict[str, Nested] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Schema:
    """The parts of the provider's schema that were asked for."""

    version: str
    provider: Block
    resources: dict[str, Block]
    data_sources: dict[str, Block]


def read(wheel: Path, resources: Iterable[str], data_sources: Iterable[str]) -> Schema:
    """Return the schema of the named resource and data source types; a type that the provider lacks is left out.

    Raises:
        FatalError: the package is not written as expected.
    """
    folders = {_folder(name): name for name in resources}
    data_folders = {f"data-google-{_folder(name)}": name for name in data_sources}
    texts = _texts(wheel, {PROVIDER, *folders, *data_folders})
    version = _VERSION.search(texts.get(PROVIDER, ""))
    if version is None:
        raise FatalError(f"{wheel.name} does not tell its provider's version: the generator writes another form now.")
    return Schema(
        version=version[1],
        provider=parse(texts[PROVIDER]),
        resources={name: parse(texts[folder]) for folder, name in folders.items() if folder in texts},
        data_sources={name: parse(texts[folder]) for folder, name in data_folders.items() if folder in texts},
    )


def parse(text: str) -> Block:
    """Return the schema that one generated file describes: that of its last class, which is the resource.

    Raises:
        FatalError: the text is not written as expected.
    """
    starts = list(_CLASS.finditer(text))
    if not starts:
        raise FatalError("A file of the cdktf package has no class: the generator writes another form now.")
    bodies = {}
    for start in starts:
        end = _NEXT.search(text, start.end())
        bodies[start[1]] = text[start.start() : end.start() if end else len(text)]
    arguments = {match[1].lower(): _configured(match[0]) for match in _HCL_FUNCTION.finditer(text)}
    return _Reader(bodies, arguments).block(starts[-1][1])


@dataclass(frozen=True, slots=True)
class _Configured:
    """One argument as the generator writes it to HCL."""

    is_block: bool
    shape: str
    storage: str


@dataclass(frozen=True, slots=True)
class _Reader:
    """One file: the text of its classes by name, and the arguments of its nested blocks by name in lower case."""

    bodies: Mapping[str, str]
    arguments: Mapping[str, Mapping[str, _Configured]]

    def block(self, name: str) -> Block:
        body = self.bodies[name]
        arguments = self.arguments.get(name.removesuffix("OutputReference").lower()) or _configured(body)
        found = Block()
        members = list(_MEMBER.finditer(body))
        for member, following in zip(members, [*members[1:], None], strict=True):
            text = body[member.end() : following.start() if following else len(body)]
            computed, optional, required = (flag == "true" for flag in member.groups()[1:])
            argument = arguments.get(member[1])
            if argument is not None and argument.is_block:
                found.blocks[member[1]] = self._nested(text, argument, required=required)
            else:
                kind = self._argument_type(text, argument) if argument else self._computed_type(text)
                found.attributes[member[1]] = Attribute(kind, required, optional, computed)
        return found

    def _nested(self, text: str, argument: _Configured, *, required: bool) -> Nested:
        made = _NESTED.search(text)
        if made is None:
            return Nested(self._of_provider(argument), "list", int(required), 1)
        block = self.block(f"{made[1]}OutputReference")
        if argument.shape == "struct":
            return Nested(block, "single", 0, 0)
        if made[2] == "List":
            return Nested(block, "set" if made[3] == "true" else "list", int(required), 0)
        return Nested(block, "list", int(required), 1)

    def _of_provider(self, argument: _Configured) -> Block:
        """Return a block of the provider's own configuration, which has no class because it cannot be referred to."""
        arguments = self.arguments.get(argument.storage.removesuffix("List").lower())
        if arguments is None:
            raise FatalError(f"Block {argument.storage} has no class: the generator writes another form now.")
        return Block({name: Attribute(self._argument_type("", one), optional=True) for name, one in arguments.items()})

    def _argument_type(self, text: str, argument: _Configured) -> CtyType:
        if argument.shape == "simple":
            return _ELEMENT[argument.storage]
        if _NESTED.search(text):
            return self._computed_type(text)
        element = re.sub(r"(List|Set|Map)$", "", argument.storage)
        return [argument.shape, _ELEMENT[element]]

    def _computed_type(self, text: str) -> CtyType:
        if made := _NESTED.search(text):
            shape = {"List": "set" if made[3] == "true" else "list", "Map": "map"}.get(made[2], "list")
            return [shape, _object(self.block(f"{made[1]}OutputReference"))]
        if made := re.search(r"= new cdktf\.(\w+)\(", text):
            shape = {"List": "list", "Map": "map"}[re.sub(r"^(String|Number|Boolean)", "", made[1])]
            return [shape, _SIMPLE[re.sub(r"(List|Map)$", "", made[1])]]
        getter = _GETTER.search(text)
        kind = getter[1] if getter else "String"
        if kind in _LISTS:
            return ["set" if "cdktf.Fn.tolist(" in text else "list", _LISTS[kind]]
        if kind in _MAPS:
            return ["map", _MAPS[kind]]
        return _SIMPLE[kind]


def _object(block: Block) -> CtyType:
    """Return the type of a computed object: Terraform has no blocks in those."""
    members: dict[str, CtyType] = {name: attribute.type for name, attribute in block.attributes.items()}
    for name, nested in block.blocks.items():
        members[name] = [nested.nesting, _object(nested.block)]
    return ["object", members]


def _configured(text: str) -> dict[str, _Configured]:
    return {match[1]: _Configured(match[2] == "true", match[3], match[4]) for match in _CONFIGURED.finditer(text)}


def _folder(resource_type: str) -> str:
    return resource_type.removeprefix("google_").replace("_", "-")


def _texts(wheel: Path, folders: set[str]) -> dict[str, str]:
    """Return the TypeScript of the folders that the package has; blocks of a large resource have their own files."""
    found: dict[str, dict[str, str]] = {}
    with zipfile.ZipFile(wheel) as package:
        (inner,) = (name for name in package.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(package.read(inner)), mode="r:gz") as sources:
            for member in sources:
                path = PurePosixPath(member.name)
                if path.suffix == ".js" and path.parts[1] == "lib" and path.parts[2] in folders:
                    file = sources.extractfile(member)
                    text = file.read().decode("utf-8") if file else ""
                    found.setdefault(path.parts[2], {})[path.name] = _original(text)
    return {folder: "\n".join([*files.values(), files.pop("index.js")]) for folder, files in found.items()}


def _original(compiled: str) -> str:
    source_map = _SOURCE_MAP.search(compiled[compiled.rfind("//# sourceMappingURL=") :])
    if source_map is None:
        raise FatalError("A file of the cdktf package has no source map: its schema cannot be read.")
    content: list[str] = json.loads(base64.b64decode(source_map[1]))["sourcesContent"]
    return content[0]
