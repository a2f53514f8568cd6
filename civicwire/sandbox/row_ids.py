"""Socrata row identifiers: opaque, unique, in no useful order, and the same for the same row number."""

from __future__ import annotations

from itertools import product

_LETTERS = "23456789abcdefghijkmnpqrstuvwxyz"
_TRIPLES = ["".join(three) for three in product(_LETTERS, repeat=3)]
_MASK = (1 << 60) - 1
_FIRST = 0x9E3779B97F4A7C5
_SECOND = 0xBF58476D1CE4E5B


def row_id(number: int) -> str:
    """Return the identifier of row ``number``: ``row-`` and 60 bits that scatter neighbouring numbers.

    Odd multipliers and an exclusive-or with a shift are one-to-one on 60 bits, so no two numbers share an identifier.
    """
    bits = (number + 1) * _FIRST & _MASK
    bits ^= bits >> 31
    bits = bits * _SECOND & _MASK
    a, b, c, d = (_TRIPLES[bits >> shift & 0x7FFF] for shift in (45, 30, 15, 0))
    return f"row-{a}{b[0]}-{b[1:]}{c[:2]}~{c[2]}{d}"
