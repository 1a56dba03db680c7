"""`usage map`: turn foreign files into lines of the activity log."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import IO

from pipeline.commands.interrupts import interruptible
from pipeline.commands.options import refuse
from pipeline.commands.parser import Parser
from pipeline.streams import note

_MAP_BYTES = 4 << 20


def options(parser: Parser) -> None:
    """Add the options of `usage map`."""
    parser.add_argument("map_", type=Path, metavar="MAP.SQL", help="A file with one SELECT over the table `input`.")
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="Foreign files: JSON, CSV, Parquet, or text by line."
    )
    parser.add_argument("--output", type=Path, metavar="OUT", help="Write the lines to this file instead of stdout.")
    parser.add_argument("--force", action="store_true", help="Let --output replace an existing file.")


def command(*, map_: Path, files: list[Path], output: Path | None, force: bool) -> None:
    """Turn foreign files into lines of the activity log, by one SELECT.

    The SELECT reads the table `input` and returns the fields of a record: id, workspace_id, timestamp, action, kind,
    resource, and the optional ones. It can read nothing else and write nothing. uuid5(namespace, name) makes an id that
    stays the same.

    Example: usage map spend.sql spend.csv --output data/raw/spend.jsonl

    Exit codes: 0 done; 1 the lines cannot be written; 2 wrong options, or the map cannot be carried out.
    """
    import sys

    from pipeline.commands import target
    from pipeline.storage import destination

    if output is None and force:
        refuse("--force needs --output")
    if output is not None:
        target.check(output, force=force)
    with interruptible(), destination.opened(output) if output else nullcontext(sys.stdout.buffer) as file:
        written = write_lines(map_, files, file)
        file.flush()
    note(f"{written:,} lines; `usage try` says whether they are good")


def write_lines(map_: Path, files: Sequence[Path], file: IO[bytes]) -> int:
    """Write the lines of a map; return how many. Exit 2 if it cannot be carried out."""
    from pipeline.commands.failures import reason
    from pipeline.mapping.mapped import MapError, open_map

    for path in files:
        if not path.is_file():
            refuse(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}")
    try:
        text = map_.read_bytes()[: _MAP_BYTES + 1].decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        refuse(f"{map_} cannot be read: {reason(error)}")
    if len(text) > _MAP_BYTES:
        refuse(f"{map_} has more than {_MAP_BYTES >> 20} MiB: that is no statement")
    written = 0
    try:
        with open_map(text, files) as lines:
            for line in lines():
                file.write(line + b"\n")
                written += 1
    except MapError as error:
        refuse(f"{map_}: {error}")
    return written
