"""Foreign files as the table `input` of a map: JSON, CSV, Parquet, or text line by line.

Values stay as they are written. CSV has only texts. In JSON, what looks like a time stays a text, because DuckDB would
drop its offset.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb

from pipeline.analysis.database import escaped_glob

_JSON: Final = (".json", ".jsonl", ".ndjson")
_CSV: Final = (".csv", ".tsv")
_PARQUET: Final = (".parquet",)
_TEXT: Final = (".log", ".txt")
_PACKED: Final = (".gz", ".zst")
# Types that DuckDB finds in texts of JSON, and that lose something of the text.
_GUESSED: Final = frozenset(("DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "UUID"))


class InputError(ValueError):
    """Raised when files cannot be one table; the message is for the user."""


def kind_of(paths: Sequence[Path]) -> str:
    """Return the one kind that all files have: `json`, `csv`, `parquet` or `text`, by their names.

    Raises:
        InputError: they have several, or one has none.
    """
    kinds = {}
    for path in paths:
        suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in _PACKED]
        suffix = suffixes[-1] if suffixes else ""
        for kind, known in (("json", _JSON), ("csv", _CSV), ("parquet", _PARQUET), ("text", _TEXT)):
            if suffix in known:
                kinds[kind] = path
                break
        else:
            endings = ", ".join((*_JSON, *_CSV, *_PARQUET, *_TEXT))
            raise InputError(f"{path}: the name must end in {endings}, or in one of them and .gz or .zst")
    if len(kinds) > 1:
        first, second, *_ = kinds.items()
        raise InputError(f"{first[1]} is {first[0]} and {second[1]} is {second[0]}: map them one after the other")
    (kind,) = kinds
    return kind


def is_foreign(path: Path) -> bool:
    """Return whether a file is no JSON, by its name."""
    return any(suffix.lower() in (*_CSV, *_PARQUET) for suffix in path.suffixes)


def create_input(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
    """Create the view `input` over files.

    Raises:
        InputError: the files cannot be read, or are of several kinds.
    """
    kind, names = kind_of(paths), [escaped_glob(str(path)) for path in paths]
    try:
        rows = _READERS[kind](connection, names)
        rows.create_view("input")
    except duckdb.Error as error:
        raise InputError(" ".join(str(error).split())) from None


def _json(connection: duckdb.DuckDBPyConnection, names: Any) -> duckdb.DuckDBPyRelation:
    options: dict[str, Any] = {"sample_size": -1, "map_inference_threshold": -1, "union_by_name": True}
    found = connection.read_json(names, **options)
    columns = {name: str(_as_text(kind)) for name, kind in zip(found.columns, found.types, strict=True)}
    return connection.read_json(names, columns=columns, **{**options, "sample_size": None})


def _csv(connection: duckdb.DuckDBPyConnection, names: Any) -> duckdb.DuckDBPyRelation:
    return connection.read_csv(names, all_varchar=True, union_by_name=True)


def _parquet(connection: duckdb.DuckDBPyConnection, names: Any) -> duckdb.DuckDBPyRelation:
    return connection.read_parquet(names, union_by_name=True)


def _text(connection: duckdb.DuckDBPyConnection, names: Any) -> duckdb.DuckDBPyRelation:
    columns = {"line": "VARCHAR"}
    lines = connection.read_csv(names, columns=columns, header=False, sep="\x01", quotechar="", escapechar="")
    return lines.project("line || '' as line")  # else the reader does casts of the map, and `try_cast` fails


_Reader = Callable[[duckdb.DuckDBPyConnection, Any], duckdb.DuckDBPyRelation]
_READERS: Final[dict[str, _Reader]] = {"json": _json, "csv": _csv, "parquet": _parquet, "text": _text}


def _as_text(kind: Any) -> Any:
    """Return a type in which texts are texts, however they look."""
    if kind.id in {"list", "array"}:
        return duckdb.list_type(_as_text(kind.children[0][1]))
    if kind.id == "struct":
        return duckdb.struct_type({name: _as_text(child) for name, child in kind.children})
    return duckdb.type("VARCHAR") if str(kind) in _GUESSED else kind
