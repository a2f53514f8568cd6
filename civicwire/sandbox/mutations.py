"""Random changes of the kinds that the cities make, as one publication, told with what they touched."""

from __future__ import annotations

from random import Random
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from civicwire.sandbox.makers import Maker
from civicwire.sandbox.soql_sql import quoted
from civicwire.sandbox.store import Row, Store
from schemas.errors import ConfigError


class Mutation(BaseModel):
    """How many of each; ``late`` rows are new rows that happened well before the newest one.

    ``behind_seconds`` makes a late commit: what changes is stamped so much earlier than it can be seen, as if a long
    transaction of the portal had only now ended.
    """

    model_config = ConfigDict(extra="forbid")

    insert: int = Field(default=0, ge=0, le=1_000_000)
    late: int = Field(default=0, ge=0, le=10_000)
    revise: int = Field(default=0, ge=0, le=1_000_000)
    delete: int = Field(default=0, ge=0, le=1_000_000)
    behind_seconds: float = Field(default=0, ge=0, le=86_400)
    seed: int = 1


def mutate(store: Store, maker: Maker, wanted: Mutation) -> dict[str, Any]:
    """Publish the changes and return, by kind, each touched key with the row before and after.

    Raises:
        ConfigError: the feed has too few rows to revise and delete that many.
    """
    random = Random(f"{wanted.seed} {store.state.version}")  # noqa: S311 - made-up rows, no secrets
    chosen = _some_keys(random, store, wanted.revise + wanted.delete)
    key = _published_key(store)
    label = key if key != ":id" else ""
    revised, deleted = chosen[: wanted.revise], chosen[wanted.revise :]
    before = {k: _row(store, k) for k in chosen}
    after = {k: maker.revise(random, store, before[k]) for k in revised}
    late: list[Row] = maker.late(random, store, wanted.late) if wanted.late else []
    new: list[Row] = maker.newest(random, store, wanted.insert) if wanted.insert else []
    store.publish([*after.values(), *late, *new], deleted, behind_ms=int(wanted.behind_seconds * 1000))
    return {
        "inserted": [{"key": row.get(label), "before": None, "after": row} for row in new],
        "late": [{"key": row.get(label), "before": None, "after": row} for row in late],
        "revised": [{"key": k, "before": before[k], "after": after[k]} for k in revised],
        "deleted": [{"key": k, "before": before[k], "after": None} for k in deleted],
    }


def _published_key(store: Store) -> str:
    return next((p.column.field for p in store.state.columns if p.stored == store.feed.key), ":id")


def _row(store: Store, key: str) -> Row:
    row = store.row(key)
    if row is None:
        raise ConfigError(f"{key} was deleted meanwhile: mutate again.")
    return row


def _some_keys(random: Random, store: Store, count: int) -> list[str]:
    """Return ``count`` distinct keys of rows anywhere in the feed."""
    total = store.count()
    if count > total:
        raise ConfigError(f"{store.feed.name} has {total} rows, {count} cannot be changed: seed it, or ask for fewer.")
    key = quoted(store.feed.identity)
    if count * 2 > total:
        every = [r[0] for r in store.read(f'select {key} from "rows" order by {key}')]  # noqa: S608 - our own identifier
        return random.sample(every, count)
    low, high = store.read('select min(n), max(n) from "rows"').fetchone() if total else (0, 0)
    found: dict[str, None] = {}
    while len(found) < count:
        probe = f'select {key} from "rows" where n >= ? order by n limit 1'  # noqa: S608 - our own identifier
        found[store.read(probe, (random.randint(low, high),)).fetchone()[0]] = None
    return list(found)
