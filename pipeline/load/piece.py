"""The contract of a piece of work, and the slot in which one runs.

A piece is a call of a module-level function with what it works on and the job. It can be run twice, twice at the same
time, or again where its outputs are already there, and its result is the same but for the name of the attempt:

- It finds its inputs by their names and changes none of them. Only the coordinator, which is the process that commits,
  deletes: an input once all its readers have answered, and the run's staging folder at the end.
- It creates files only below the folder of its own attempt, `staging/<run>/<attempt>/`. No other attempt has that name.
- Its result names the files that it wrote, with their sizes, so that nobody has to look for them.
- Its threads and memory are those of the slot that it runs in.
- It leaves nothing behind in its process that another job could notice.

Reads and writes nothing itself.
"""

import os
from collections.abc import Callable
from secrets import token_hex
from typing import Final, TypeVar

import msgspec

from pipeline.load.job import Job, Resources

_MEMORY_MB: Final = 400  # of all engines of a machine that work at once

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


class Slot(msgspec.Struct, frozen=True):
    """Where a process runs pieces: its share of what several slots have together.

    Attributes:
        cores: of all these slots.
        memory_mb: of the engines in all these slots.
        slots: how many there are.
    """

    cores: int
    memory_mb: int
    slots: int = 1

    @classmethod
    def of_this_machine(cls, slots: int) -> "Slot":
        """Return one of several slots that share this machine."""
        return cls(os.cpu_count() or 1, _MEMORY_MB, slots)

    def resources(self, pieces: int) -> Resources:
        """Return what one of some pieces may use, if as many of them as there are slots run at the same time."""
        at_once = max(1, min(self.slots, pieces))
        return Resources(max(1, self.cores // at_once), f"{self.memory_mb // at_once}MB")


_slot: Slot | None = None


def occupy(slot: Slot) -> None:
    """Let the pieces of this process run in a slot from now on; without it, they have this machine for themselves."""
    global _slot  # noqa: PLW0603 - a property of the process, which no job changes
    _slot = slot


def attempt(function: Callable[[_Piece, Job], _Result], pieces: int, piece: _Piece, job: Job) -> _Result:
    """Run a piece, as an attempt of its own.

    Args:
        function: does the work.
        pieces: how many pieces the job has for this function; if there are fewer than slots, each gets a larger share.
        piece: what it works on.
        job: the run.
    """
    slot = _slot or Slot.of_this_machine(1)
    return function(piece, msgspec.structs.replace(job, attempt=token_hex(8), resources=slot.resources(pieces)))
