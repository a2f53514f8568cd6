"""Terraform's plugin protocol (tfplugin6), as far as validation and mocked tests use it.

Terraform asks a provider for its schema and to check each configuration; with ``mock_provider`` it asks nothing else.
So the schema is the one answer with content. Every other one is an empty message, which means: no objections.

The messages are written by hand: five kinds do not need a code generator. Field numbers are from tfplugin6.proto.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc

from terraform.ci.google_schema import Attribute, Block, CtyType, Nested, Schema

SOURCE = "hashicorp/google"
_SERVICE = "/tfplugin6.Provider/"
_NESTING = {"single": 1, "list": 2, "set": 3}
_BYTES = 2
"""Protobuf's wire type of strings and messages; 0 is a number."""


@contextmanager
def serve(schema: Schema, folder: Path) -> Iterator[dict[str, str]]:
    """Answer as the google provider on a socket in ``folder``; give the environment that sends Terraform to it.

    With that variable Terraform neither installs nor starts a provider; it does not look at versions either.
    """
    socket = folder / "google.sock"
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers((_Provider(schema_message(schema)),))
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    address = {"Network": "unix", "String": str(socket)}
    attach = {"Protocol": "grpc", "ProtocolVersion": 6, "Pid": os.getpid(), "Test": True, "Addr": address}
    try:
        yield {"TF_REATTACH_PROVIDERS": json.dumps({SOURCE: attach})}
    finally:
        server.stop(grace=None).wait()


class _Provider(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers every method of the provider service; an unknown service is refused by returning None."""

    def __init__(self, schema: bytes) -> None:
        self._schema = schema

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        if not handler_call_details.method.startswith(_SERVICE):
            return None
        answer = self._schema if handler_call_details.method == f"{_SERVICE}GetProviderSchema" else b""
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: answer)


def schema_message(schema: Schema) -> bytes:
    """Return the GetProviderSchema response."""
    return _message(1, _schema(schema.provider)) + _schemas(2, schema.resources) + _schemas(3, schema.data_sources)


def _schemas(number: int, blocks: Mapping[str, Block]) -> bytes:
    """A protobuf map is a repeated message of key and value."""
    return b"".join(
        _message(number, _text(1, name) + _message(2, _schema(block))) for name, block in sorted(blocks.items())
    )


def _schema(block: Block) -> bytes:
    return _message(2, _block(block))


def _block(block: Block) -> bytes:
    return b"".join(
        [
            *(_message(2, _attribute(name, attribute)) for name, attribute in sorted(block.attributes.items())),
            *(_message(3, _nested(name, nested)) for name, nested in sorted(block.blocks.items())),
        ]
    )


def _attribute(name: str, attribute: Attribute) -> bytes:
    return (
        _text(1, name)
        + _text(2, _type(attribute.type))
        + _number(4, attribute.required)
        + _number(5, attribute.optional)
        + _number(6, attribute.computed)
    )


def _nested(name: str, nested: Nested) -> bytes:
    return (
        _text(1, name)
        + _message(2, _block(nested.block))
        + _number(3, _NESTING[nested.nesting])
        + _number(4, nested.min_items)
        + _number(5, nested.max_items)
    )


def _type(kind: CtyType) -> str:
    return json.dumps(kind, separators=(",", ":"))


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode("utf-8"))


def _message(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    """A number field; zero is the default and is not written."""
    return _varint(number << 3) + _varint(value) if value else b""


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004  seven bits a byte
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
