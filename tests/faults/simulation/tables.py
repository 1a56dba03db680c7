"""What a data folder holds and what a world says that it holds, both as parts that are compared one by one.

Reads the Parquet files, `published.json` and the keys of a data folder by paths alone, as an analyst would.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.faults.simulation.erasing import Rejected, day_of
from tests.faults.simulation.model import Key, World
from tests.oracle import Event

QUARTER_US = 900_000_000
_ROLLED_UP = ("cube", "actors")
Part = tuple[str, ...]
Parts = dict[Part, Any]


def expected(world: World) -> Parts:
    """Return the parts of a world."""
    parts: Parts = {("as_of",): world.as_of, ("keys",): dict(world.keys)}
    days: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in world.events.values():
        days[event.workspace_id, day_of(event.timestamp)].append(event)
    months: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for (workspace, day), events in days.items():
        parts["events", workspace, day] = {event.id: _columns(event) for event in events}
        months[workspace, day[:7]] += events
    for key, events in months.items():
        parts["cube", *key] = _cube(events)
        parts["actors", *key] = _actors(events)
    for name, rows in world.rejected.items():
        parts["rejected", name] = {
            row.line_number: (row.reason, row.field, row.line.removesuffix(b"\r"), row.loaded_at) for row in rows
        }
    return parts


def observed(root: Path) -> Parts:
    """Return the parts of a data folder."""
    published = json.loads((root / "published.json").read_bytes()) if (root / "published.json").exists() else {}
    parts: Parts = {("as_of",): published.get("data_as_of"), ("keys",): _keys(root)}
    for path in root.glob("events/*/*/*.parquet"):
        rows = _rows(path)
        parts["events", *_partition(path)] = {row["id"]: row for row in rows}
        assert len(parts["events", *_partition(path)]) == len(rows), f"{path} repeats an id"
    for manifest in root.glob("manifests/*.json"):
        for month, files in json.loads(manifest.read_bytes())["months"].items():
            cube, actors = _rows(root / files["cube"]), _rows(root / files["actors"])
            parts["cube", manifest.stem, month] = _by_key(cube, ("quarter", "locale"))
            parts["actors", manifest.stem, month] = _by_key(actors, ("user_id", "action", "day"))
    for path in root.glob("quarantine/*.parquet"):
        rows = _rows(path)
        (name,) = {row["source_file"] for row in rows}
        parts["rejected", name] = {
            row["line_number"]: (row["reason"], row["field"], row["line"].removesuffix(b"\r"), row["loaded_at"])
            for row in rows
        }
    return parts


def differences(found: Parts, worlds: Collection[Parts], *, ignored: Collection[str] = ()) -> list[str]:
    """Return the parts that no world has as they were found, in words; `ignored` names tables."""
    texts = []
    for part in sorted({*found, *(part for world in worlds for part in world)}):
        if part[0] not in ignored and all(found.get(part) != world.get(part) for world in worlds):
            wanted = " or ".join(dict.fromkeys(str(world.get(part)) for world in worlds))
            texts.append(f"{'/'.join(part)} is {found.get(part)}, not {wanted}")
    return texts


def common(found: Parts, worlds: Sequence[World]) -> dict[str, Any]:
    """Return the fields of the world that has each part as it was found, of worlds that agree part by part."""
    events: dict[Key, Event] = {}
    rejected: dict[str, tuple[Rejected, ...]] = {}
    for part in found:
        world = next(world for world in worlds if expected(world).get(part) == found[part] or part[0] in _ROLLED_UP)
        if part[0] == "events":
            events |= {
                key: event
                for key, event in world.events.items()
                if (event.workspace_id, day_of(event.timestamp)) == part[1:]
            }
        elif part[0] == "rejected":
            rejected[part[1]] = world.rejected[part[1]]
    return {"events": events, "rejected": rejected, "as_of": found["as_of",], "keys": found["keys",]}


def _columns(event: Event) -> dict[str, Any]:
    columns: dict[str, Any] = json.loads(event.canonical())
    return columns


def _cube(events: Iterable[Event]) -> dict[tuple[Any, ...], dict[str, int]]:
    cells: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for event in events:
        quarter = event.timestamp // QUARTER_US * QUARTER_US
        for locale, credits_ in event.share_credits().items():
            cells[quarter, locale]["credits"] += credits_
        for locale, amounts in event.languages.items():
            for measure, amount in vars(amounts).items():
                cells[quarter, locale][measure] += amount
        cells[quarter, None]["audio_ms"] += event.counted_audio_ms
        if event.action == "workflow_run":
            cells[quarter, None][f"runs_{event.run_status}"] += 1
    return _filled(cells)


def _actors(events: Iterable[Event]) -> dict[tuple[Any, ...], dict[str, int]]:
    rows: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for event in events:
        row = rows[event.user_id, event.action, event.timestamp // (96 * QUARTER_US)]
        row["events"] += 1
        row["credits"] += event.credits
    return _filled(rows)


def _by_key(rows: Sequence[dict[str, Any]], keys: tuple[str, ...]) -> dict[tuple[Any, ...], dict[str, int]]:
    found = {tuple(row[key] for key in keys): {k: v for k, v in row.items() if k not in keys} for row in rows}
    assert len(found) == len(rows), f"a key of {keys} is repeated"
    return _filled(found)


def _filled(rows: dict[tuple[Any, ...], dict[str, int]]) -> dict[tuple[Any, ...], dict[str, int]]:
    """Return the numbers that are not zero, of rows that have some."""
    left = {key: {name: number for name, number in row.items() if number} for key, row in rows.items()}
    return {key: row for key, row in left.items() if row}


def _rows(path: Path) -> list[dict[str, Any]]:
    table = pq.ParquetFile(path).read()
    for number, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            table = table.set_column(number, column.name, table[number].cast(pa.int64()))
        elif pa.types.is_date32(column.type):
            table = table.set_column(number, column.name, table[number].cast(pa.int32()))
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def _partition(path: Path) -> tuple[str, str]:
    """Return the workspace and the day of a file of events."""
    return path.parts[-3].partition("=")[2], path.parts[-2].partition("=")[2]


def _keys(root: Path) -> dict[str, tuple[str, str, bool]]:
    path = root / "directory/api_keys.local.jsonl"
    rows = [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []
    return {row["id"]: (row["workspace_id"], row["user_id"], row["revoked_at"] is not None) for row in rows}
