"""`usage try`: say what a load would make of files, and load nothing."""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.as_json import show_json
from pipeline.commands.exit_codes import FAILED, REJECTED
from pipeline.commands.interrupts import interruptible
from pipeline.commands.options import add_json, add_now, instant, refuse, settings
from pipeline.commands.parser import Parser
from pipeline.contract.actions import ACTIONS
from pipeline.streams import note, show

if TYPE_CHECKING:
    from pipeline.mapping.trial import Trial

_STDIN = Path("-")
_SHOWN = 20  # kinds of faults, and unknown keys, that are printed; --json prints all


def options(parser: Parser) -> None:
    """Add the options of `usage try`."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="A log, plain, .gz or .zst; - is stdin, but not with --map."
    )
    parser.add_argument(
        "--map", dest="map_", type=Path, metavar="MAP.SQL", help="Map the files first, as `usage map` does."
    )
    add_json(parser)
    add_now(parser)


def command(*, files: list[Path], map_: Path | None, as_json: bool, now: str | None) -> None:
    """Say what a load would make of files, and load nothing.

    Prints how many lines would be accepted, everything that is wrong with the others, which keys were found and which
    are missing, and one good line to copy. Needs no data folder.

    Exit codes: 0 all lines are good; 1 a file cannot be read; 2 wrong options, or the map cannot be carried out; 3 some
    lines would be rejected.
    """
    from pipeline.mapping.files import lines_of
    from pipeline.mapping.trial import try_lines
    from pipeline.validation.validate import AHEAD_US

    latest, actions = instant(now) + AHEAD_US, (*ACTIONS, *settings().extra_actions)
    try:
        with interruptible(), tempfile.TemporaryDirectory(prefix="usage-try-") as temporary:
            paths = _mapped(map_, files, Path(temporary)) if map_ else _on_disk(files, Path(temporary))
            trial = try_lines(lines_of(paths), latest, actions)
    except OSError as error:
        note(f"error: {error.filename or ''}{': ' if error.filename else ''}{error.strerror or error}")
        raise SystemExit(FAILED) from None
    if as_json:
        show_json(trial)
    else:
        _show(trial)
    if not map_:
        _note_names(files)
    if trial.rejected:
        raise SystemExit(REJECTED)


def _on_disk(files: Sequence[Path], temporary: Path) -> dict[str, Path]:
    """Return files by name, with a copy of stdin if that is among them."""
    found = {}
    for path in files:
        if path == _STDIN:
            found["stdin"] = temporary / "stdin"
            found["stdin"].write_bytes(sys.stdin.buffer.read())
        elif path.is_dir():
            refuse(f"{path} is a folder; name the files in it")
        else:
            found[str(path)] = path
    return found


def _note_names(files: Sequence[Path]) -> None:
    """Say of files that a run would not read what to do about them."""
    from pipeline.load.raw_names import FORM, is_raw
    from pipeline.mapping.inputs import is_foreign

    for path in files:
        if is_foreign(path):
            note(f"{path} is no log by its name: `usage map` turns it into one")
        elif path != _STDIN and not is_raw(os.fsencode(path.name)):
            note(f"a run would not read {path} because of its name: {FORM}")


def _mapped(map_: Path, files: Sequence[Path], temporary: Path) -> dict[str, Path]:
    """Return a file with the lines that a map makes of others."""
    from pipeline.commands.map_files import write_lines

    if _STDIN in files:
        refuse("--map needs files, since their names say what they are: stdin has none")
    path = temporary / "mapped"
    with path.open("wb") as file:
        write_lines(map_, files, file)
    return {f"row of {map_}": path}


def _show(trial: "Trial") -> None:
    from pipeline.contract.text import printable
    from pipeline.mapping.trial import missing_keys
    from pipeline.terminal import table

    rejected = ", ".join(f"{count:,} {reason}" for reason, count in trial.reasons.items())
    show(
        f"{trial.lines:,} lines = {trial.good:,} good + {trial.rejected:,} rejected + {trial.blank:,} blank"
        + (f": {rejected}" if rejected else "")
    )
    for fault in trial.faults[:_SHOWN]:
        show(f"\n{fault.lines:,} lines, {printable(fault.field or fault.reason)}: {printable(fault.message)}")
        if fault.suggestion:
            show(f"  do you mean {printable(fault.suggestion)}?")
        show(f"  first in {printable(', '.join(fault.first[:2]))}")
    if len(trial.faults) > _SHOWN:
        show(f"\nand {len(trial.faults) - _SHOWN:,} other faults; --json lists all")
    known = [key for key in trial.keys if key.known]
    rows = [
        (key.path, "required" if key.required else "", f"{key.lines:,}")
        for key in known
        if key.lines or ("." not in key.path)
    ]
    show()
    show("\n".join(table([("key", "", "lines"), *rows], "<<>")))
    unknown = [key for key in trial.keys if not key.known]
    for key in unknown[:_SHOWN]:
        meant = f"; do you mean {key.suggestion}?" if key.suggestion else ""
        show(f"ignored: {printable(key.path)} in {key.lines:,} lines{meant}")
    if missing := missing_keys(trial.keys):
        show(f"missing: {', '.join(missing)}")
    show(f"\na good line to copy:\n{trial.finished}" if trial.rejected else "", end="\n" if trial.rejected else "")
