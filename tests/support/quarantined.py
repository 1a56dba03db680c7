"""One rejected line for each reason, and the output of `usage quarantine`."""

import json
from pathlib import Path
from typing import Any

from pipeline.validation.records import LINE_BYTES_MAX, Reason
from tests.support.data_folder import DataFolder
from tests.support.invoked import Result, invoke
from tests.support.lines import line

# One line for each reason, in the order of `bad.jsonl`, which has good lines between them.
BAD: dict[Reason, bytes] = {
    "invalid_json": b'{"id": \x1b[31m}\r',
    "invalid_encoding": b'{"id":"\xff\xfe"}',
    "not_an_object": b"[]",
    "line_too_long": b'{"id":"' + b"x" * LINE_BYTES_MAX + b'"}',
    "missing_field": b"{}",
    "invalid_type": line(id=1),
    "invalid_value": line(action="walk"),
    "timestamp_out_of_range": line(timestamp="2010-12-31T00:00:00Z"),
    "invalid_locale": line(usage={"languages": [{"locale": "1"}]}),
    "truncated_line": b'{"id',
}


def quarantine(folder: DataFolder, *arguments: str) -> Result:
    """Run `usage quarantine`."""
    return invoke(["quarantine", *arguments, "--data-dir", str(folder.root)])


def json_lines(result: Result) -> list[dict[str, Any]]:
    """Return the objects that a command wrote as JSON Lines."""
    return [json.loads(text) for text in result.stdout.splitlines()]


def listed(folder: DataFolder, *arguments: str) -> list[tuple[str, int]]:
    """Return the files and line numbers that `--list` shows."""
    return [
        (row["source_file"], row["line_number"])
        for row in json_lines(quarantine(folder, "--list", "--json", *arguments))
    ]


def stats(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the size and modification time of every file and folder."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*")}
