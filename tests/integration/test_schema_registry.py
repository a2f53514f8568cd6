"""Compatibility is the registry's to refuse: an incompatible edit of a schema file fails before anything is written."""

from __future__ import annotations

import copy
import json
import uuid
from typing import Any

import pytest

from civicwire.stack import Stack
from schemas import loader, registry
from schemas.errors import ConfigError
from schemas.topics import Topic

pytestmark = pytest.mark.parts


def without_default(document: dict[str, Any]) -> None:
    document["fields"].append({"name": "weather", "type": "string"})


def retyped(document: dict[str, Any]) -> None:
    next(field for field in document["fields"] if field["name"] == "revision")["type"] = "string"


def renamed(document: dict[str, Any]) -> None:
    next(field for field in document["fields"] if field["name"] == "category")["name"] = "harmonised"


def with_default(document: dict[str, Any]) -> None:
    document["fields"].append({"name": "weather", "type": ["null", "string"], "default": None})


@pytest.fixture
def topic(kafka_stack: Stack) -> Topic:
    """A topic name of this test's own, with the incident schema registered under it."""
    assert kafka_stack.endpoints.registry
    made = Topic(f"schema-test-{uuid.uuid4().hex}", "incident", 1)
    registry.register(kafka_stack.endpoints.registry, made)
    return made


def edit(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    document = copy.deepcopy(loader.document("incident"))
    change(document)
    monkeypatch.setattr(loader, "text", lambda _name: json.dumps(document))
    registry.register.cache_clear()


@pytest.mark.parametrize("change", [without_default, retyped, renamed], ids=lambda change: change.__name__)
def test_an_incompatible_edit_is_refused_with_the_fix(
    kafka_stack: Stack, topic: Topic, monkeypatch: pytest.MonkeyPatch, change: Any
):
    edit(monkeypatch, change)
    with pytest.raises(ConfigError, match="Give every new field a default"):
        registry.register(str(kafka_stack.endpoints.registry), topic)


def test_a_field_with_a_default_is_taken_and_gets_a_new_id(
    kafka_stack: Stack, topic: Topic, monkeypatch: pytest.MonkeyPatch
):
    url = str(kafka_stack.endpoints.registry)
    before = registry.register(url, topic)
    edit(monkeypatch, with_default)
    assert registry.register(url, topic) != before
