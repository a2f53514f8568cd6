"""What all files of one feed are written from: what a person said, what the portal said, and what was guessed."""

from __future__ import annotations

from dataclasses import dataclass

from civicwire.scaffold.guess import Guess
from civicwire.scaffold.sample import Dataset

CODE_NAME = 36
"""Characters of a column's name that are kept before `_code`."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One feed.

    Attributes:
        key: the feed's name in civicwire.
        url: where it was read, without anything after a question mark.
        title: words for people.
        kind: what its incidents are.
        counts: what one row is, in the catalog's words.
        means: that in a sentence.
        time_zone: IANA zone of its civil times.
        licence: under which it is published.
        dataset: what the portal said.
        guess: what its columns are taken for.
        names: the schema's name of each column that is not ignored, by the name that the client hands on.
    """

    key: str
    url: str
    title: str
    kind: str
    counts: str
    means: str
    time_zone: str
    licence: str
    dataset: Dataset
    guess: Guess
    names: dict[str, str]

    def code_column(self, column: str) -> str:
        """Return what a column of codes is called in the feed's SQL and crosswalk: never a word that SQL reserves."""
        name = self.names[column]
        return name if name.endswith("_code") else f"{name[:CODE_NAME]}_code"
