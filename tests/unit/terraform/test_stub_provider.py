"""The stub speaks tfplugin6 as Terraform reads it; here its bytes are compared with a reading by protobuf itself."""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from terraform.ci.google_schema import Attribute, Block, Nested, Schema
from terraform.ci.stub_provider import schema_message

FIELD = descriptor_pb2.FieldDescriptorProto
MANY, ONE = FIELD.LABEL_REPEATED, FIELD.LABEL_OPTIONAL
TEXT, BYTES, NUMBER, FLAG, NESTED = FIELD.TYPE_STRING, FIELD.TYPE_BYTES, FIELD.TYPE_INT64, FIELD.TYPE_BOOL, 11
MESSAGES = {
    "Attribute": [
        ("name", 1, TEXT),
        ("type", 2, BYTES),
        ("required", 4, FLAG),
        ("optional", 5, FLAG),
        ("computed", 6, FLAG),
    ],
    "NestedBlock": [
        ("type_name", 1, TEXT),
        ("block", 2, "Block"),
        ("nesting", 3, NUMBER),
        ("min_items", 4, NUMBER),
        ("max_items", 5, NUMBER),
    ],
    "Block": [("attributes", 2, ["Attribute"]), ("block_types", 3, ["NestedBlock"])],
    "Schema": [("version", 1, NUMBER), ("block", 2, "Block")],
    "Entry": [("key", 1, TEXT), ("value", 2, "Schema")],
    "Response": [("provider", 1, "Schema"), ("resource_schemas", 2, ["Entry"]), ("data_source_schemas", 3, ["Entry"])],
}
"""The messages and field numbers of tfplugin6.proto that are used."""


def read(message: bytes):
    file = descriptor_pb2.FileDescriptorProto(name="tfplugin6.proto", package="tfplugin6", syntax="proto3")
    for name, fields in MESSAGES.items():
        described = file.message_type.add(name=name)
        for field, number, kind in fields:
            label = MANY if isinstance(kind, list) else ONE
            other = kind[0] if isinstance(kind, list) else kind
            if isinstance(other, str):
                described.field.add(
                    name=field, number=number, label=label, type=NESTED, type_name=f".tfplugin6.{other}"
                )
            else:
                described.field.add(name=field, number=number, label=label, type=other)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    response = message_factory.GetMessageClass(pool.FindMessageTypeByName("tfplugin6.Response"))()
    response.ParseFromString(message)
    return response


def test_a_schema_is_read_back_whole():
    rule = Block({"age": Attribute("number", required=True)})
    bucket = Block(
        {
            "name": Attribute("string", required=True),
            "id": Attribute("string", optional=True, computed=True),
            "labels": Attribute(["map", "string"], optional=True),
            "a_name_longer_than_a_varint_byte_can_count_" + "x" * 200: Attribute("bool"),
        },
        {"rule": Nested(rule, "set", 0, 0), "first": Nested(rule, "list", 1, 1)},
    )
    schema = Schema("6.50.0", Block({"project": Attribute("string", optional=True)}), {"google_bucket": bucket}, {})

    response = read(schema_message(schema))

    assert [attribute.name for attribute in response.provider.block.attributes] == ["project"]
    (entry,) = response.resource_schemas
    assert entry.key == "google_bucket"
    attributes = {attribute.name: attribute for attribute in entry.value.block.attributes}
    assert attributes.keys() == bucket.attributes.keys()
    assert (attributes["name"].required, attributes["name"].computed) == (True, False)
    assert (attributes["id"].optional, attributes["id"].computed) == (True, True)
    assert attributes["labels"].type == b'["map","string"]'
    blocks = {block.type_name: block for block in entry.value.block.block_types}
    assert (blocks["rule"].nesting, blocks["rule"].max_items) == (3, 0)
    assert (blocks["first"].nesting, blocks["first"].min_items, blocks["first"].max_items) == (2, 1, 1)
    assert [attribute.name for attribute in blocks["rule"].block.attributes] == ["age"]
    assert not response.data_source_schemas
