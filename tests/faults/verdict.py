"""Look at what a disturbed command leaves: its exit code, its messages, and what readers and the next run find.

- The exit code says the truth: 0 only if everything is done, else the documented one, with one line and no traceback.
- Readers see each workspace and each file as before the command or as after it.
- The next run, undisturbed, and the repeated command lead to the tables of a command that was not disturbed.
"""

import re
import signal
from collections.abc import Iterator
from typing import Final

from pipeline.commands import exit_codes
from tests.faults.host import HANGS, Outcome
from tests.faults.scenarios import Stage, differences, knows, view, whole
from tests.support.outcome import outcome_of

_NOISE: Final = ("Traceback", "Exception ignored", "Fatal", ".cc:", ".cpp:", "terminate called")
_NO_MEMORY_FOR_A_THREAD: Final = "cannot allocate memory for thread-local data: ABORT"
_FRAME: Final = re.compile(r'^  File "([^"]+)"', re.MULTILINE)  # of a stack after a crash, the innermost first
_NO_VIEWS: Final = "warning: usage.duckdb could not be written"
_NOT_COMPARED: Final = "could not be compared: "  # what `check` reports of months that did not fit into memory
# Files that nothing depends on: their failures are warnings at most.
_SPARE: Final = ("/usage.duckdb", "/.usage.duckdb")


def wrong(stage: Stage, ended: Outcome, made: list[str], seen: set[bytes]) -> list[str]:
    """Return what is wrong with an attempt that has ended.

    Args:
        stage: the command.
        ended: how it ended.
        made: the calls that the attempt made, where those that failed begin with `! `.
        seen: what earlier attempts left and went on well from; gets what this one leaves.
    """
    failed = [call[2:] for call in made if call.startswith("! ")]
    found = [*_verdict(stage, ended, failed), *_after_sync(ended, made)]
    if not found:
        left = outcome_of(stage.folder) + str(sorted(view(stage.folder)["keys"].values())).encode()
        if left not in seen:
            found += stage.go_on()
            seen.add(left)
    return [
        f"{problem}\n  failed: {failed[:3]}\n  exit {ended.code}: {ended.stderr[-600:]}{ended.stdout[-600:]}"
        for problem in found
    ]


def _verdict(stage: Stage, ended: Outcome, failed: list[str]) -> Iterator[str]:
    """Yield what is wrong with the exit code, the messages, and what readers see now."""
    if ended.code == HANGS:
        yield "it hangs"
        return
    if any(noise in ended.stderr for noise in _NOISE) and not _is_aborted(ended):
        yield "a traceback, or a library's own message"
    try:
        seen = view(stage.folder)
    except Exception as error:  # noqa: BLE001 - whatever it is, readers would meet it
        yield f"readers fail: {error!r}"
        return
    if ended.code == 0:
        yield from _done(stage, ended)
        return
    yield from _said(ended, [call.partition(" ")[2] for call in failed])
    for name in differences(seen, stage.before):
        if seen.get(name) != stage.after.get(name) and name != "keys" and ended.code != exit_codes.UNREADABLE:
            yield f"readers see neither before nor after: {name}"


def _said(ended: Outcome, paths: list[str]) -> Iterator[str]:
    """Yield what is wrong with an exit code other than 0, or with what was printed."""
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    match ended.code:
        case exit_codes.FAILED if _NOT_COMPARED in ended.stdout:
            pass
        case exit_codes.FAILED:
            if len(errors) != 1 or not errors[0].removeprefix("error: ").strip():
                yield f"{len(errors)} lines of error"
            if ended.stdout:
                yield "it failed, but printed a result"
        case exit_codes.WRONG_USAGE:
            if not paths[0].startswith(("/raw", "/directory")):
                yield "exit 2, but neither raw/ nor directory/ failed"
        case exit_codes.UNREADABLE:
            if not any(path.startswith("/raw") for path in paths):
                yield "exit 4, but no raw file failed"
        case _:
            if not _is_aborted(ended):
                yield f"the exit code {ended.code}"


def _is_aborted(ended: Outcome) -> bool:
    """Return whether a library ended the process for lack of memory in one of its threads, which nobody can catch.

    It is the C library, which has no room for the data of a new thread, or the one of C++, or an engine that uses what
    it did not get. It counts as a kill. A crash of the project's own C code does not.
    """
    if ended.code == -signal.SIGSEGV:
        _, crashed, stack = ended.stderr.rpartition("Segmentation fault")
        frames = _FRAME.findall(stack)
        return bool(crashed) and not (frames and "/validation/" in frames[0])
    if ended.code == -signal.SIGABRT:
        return "std::bad_alloc" in ended.stderr and "Traceback" not in ended.stderr
    return (ended.code, ended.stderr.splitlines()[-1:]) == (127, [_NO_MEMORY_FOR_A_THREAD])


def _done(stage: Stage, ended: Outcome) -> Iterator[str]:
    """Yield what a command has not done that exited with 0."""
    secret = ended.stdout.strip().rpartition("\n")[2]
    if secret.startswith("op_live_") and not knows(stage.folder, secret):
        yield "the new key is not stored"
    try:
        found = whole(stage.folder)
    except AssertionError as error:
        yield f"exit 0, but the check finds: {error}"
        return
    if different := differences(found, stage.final):
        yield f"exit 0, but not all is done: {different}"


def _after_sync(ended: Outcome, made: list[str]) -> Iterator[str]:
    """Yield what was done in spite of a failed sync."""
    syncs = [number for number, call in enumerate(made) if _is_needed(call)]
    if not syncs:
        return
    later = made[syncs[0] :]
    renamed = [call for call in later if call.startswith("rename /staging")]
    if renamed:
        yield f"a sync failed, and then: {renamed}"
    # When it closes the database, SQLite copies its log, which was synced already, and keeps it if it cannot.
    # The views of SQL are made again by the next run, so a failure there is only a warning.
    if ended.code == 0 and not later[0].startswith("! sync /state.sqlite") and _NO_VIEWS not in ended.stderr:
        yield f"exit 0, but a sync failed: {later[0]}"


def _is_needed(call: str) -> bool:
    """Return whether a call is a sync that failed, and on which something depends.

    SQLite syncs the data folder for the name of its log, and ignores errors: the next sync of everything reports them.
    """
    kind, _, path = call.removeprefix("! ").partition(" ")
    return call.startswith("! sync") and (kind == "syncfs" or bool(path)) and not path.startswith(_SPARE)
