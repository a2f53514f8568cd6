"""What the clients of JSON APIs share: reading an array with each element's own text, and refusing what is no JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from schemas.errors import RetriableError

_DECODER = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
TOO_DEEP = "its values are nested too deeply"
_SPACE = " \t\r\n"


def _skip(text: str, index: int) -> int:
    while index < len(text) and text[index] in _SPACE:
        index += 1
    return index


def split_array(text: str, at: int = 0) -> Iterator[tuple[Any, str]]:
    """Yield each element of the JSON array at ``at`` with its own text, so that a dead letter holds what was sent.

    Raises:
        ValueError: there is no JSON array, or it is cut short.
    """
    end, skip = len(text), partial(_skip, text)
    at = skip(at)
    if at >= end or text[at] != "[":
        raise ValueError("no JSON array")
    at = skip(at + 1)
    if at < end and text[at] == "]":
        return
    while True:
        value, after = _DECODER.raw_decode(text, at)
        yield value, text[at:after]
        at = skip(after)
        if at >= end:
            raise ValueError("the array is cut short")
        if text[at] == "]":
            return
        if text[at] != ",":
            raise ValueError(f"unexpected text at character {at}")
        at = skip(at + 1)


def elements(text: str, name: str) -> Iterator[tuple[Any, str]]:
    """Yield the elements of the array that is the value of ``name`` in the outermost object or one level below.

    Raises:
        ValueError: there is no such array, or it is cut short.
    """
    found = _find(text, 0, name)
    if found is None:
        raise ValueError(f"no {name}")
    yield from split_array(text, found)


def _find(text: str, at: int, name: str, depth: int = 2) -> int | None:
    """Return where the value of ``name`` begins, searching the object at ``at`` and, if need be, objects inside it."""
    end, skip = len(text), partial(_skip, text)
    at = skip(at)
    if at >= end or text[at] != "{":
        return None
    at = skip(at + 1)
    while at < end and text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = skip(at)
        if at >= end or text[at] != ":":
            raise ValueError(f"unexpected text at character {at}")
        at = skip(at + 1)
        if key == name:
            return at
        if depth > 1 and at < end and text[at] == "{" and (inside := _find(text, at, name, depth - 1)) is not None:
            return inside
        _, at = _DECODER.raw_decode(text, at)
        at = skip(at)
        if at < end and text[at] == ",":
            at = skip(at + 1)
    return None


class JsonArray:
    """A JSON array read at once, and the own text of an element only when a dead letter needs it.

    Args:
        text: the array, or an object in which it is the value of ``name``.
        name: as for ``elements``.

    Attributes:
        whole: the outermost value; numbers are kept as their digits.

    Raises:
        ValueError: the text is no JSON.
    """

    def __init__(self, text: str, name: str | None = None) -> None:
        self._text = text
        self._name = name
        self._originals: list[bytes] | None = None
        try:
            self.whole: Any = _DECODER.decode(text)
        except RecursionError as error:
            raise ValueError(TOO_DEEP) from error

    @property
    def values(self) -> list[Any]:
        """The elements.

        Raises:
            ValueError: there is no such array.
        """
        found = self.whole if self._name is None else _inside(self.whole, self._name)
        if not isinstance(found, list):
            raise ValueError("no JSON array" if self._name is None else f"no {self._name}")  # noqa: TRY004 - malformed
        return found

    def original(self, place: int) -> bytes:
        """Return the bytes that the portal sent for the element at ``place``."""
        if self._originals is None:
            given = split_array(self._text) if self._name is None else elements(self._text, self._name)
            self._originals = [text.encode() for _, text in given]
        return self._originals[place]


def _inside(whole: Any, name: str) -> Any:
    """Return the value of ``name`` in the object ``whole`` or in the first object inside it that has it."""
    if not isinstance(whole, dict):
        return None
    for key, value in whole.items():
        if key == name:
            return value
        if isinstance(value, dict) and name in value:
            return value[name]
    return None


def as_object(body: bytes, source: str, path: str) -> dict[str, Any]:
    """Return the JSON object in ``body``.

    Raises:
        RetriableError: it is none.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RetriableError(f"{source}: {path} is no JSON ({error}). Poll again later.") from error
    if not isinstance(value, dict):
        raise RetriableError(f"{source}: {path} is no JSON object. Poll again later.")
    return value
