"""What `benchmarks.scale` has measured, as stored in JSON; the tables of docs/scale.md are made from nothing else.

Field names are keys of stored results: a renamed field makes them unreadable.
"""

import msgspec

from benchmarks.results import Machine
from benchmarks.scale.cold import Cold
from benchmarks.scale.commits import Commit
from benchmarks.scale.costs import Costs
from benchmarks.scale.place import Taken
from benchmarks.scale.slots import Replay


class Results(msgspec.Struct):
    """All figures; each may be measured by itself, and replaces the one before.

    Attributes:
        machine: that it ran on.
        taken: the date of each figure.
        busy: the load average of the machine before each figure.
        lines: of the sample.
        bytes: of its raw files.
        runs: by where tables and logs lie and who works, what loading the sample took.
        before: the same on a folder with an earlier version, in turn with this one.
        replays: of the sample's pieces on more slots.
        commits: of 2,000 changed objects.
        cold: first summaries of workspaces, from copies on the disk and from a folder.
        costs: of the pieces of work.
    """

    machine: Machine
    taken: dict[str, str] = {}
    busy: dict[str, float] = {}
    lines: int = 0
    bytes: int = 0
    runs: dict[str, list[Taken]] = {}
    before: dict[str, list[Taken]] = {}
    replays: list[Replay] = []
    commits: list[Commit] = []
    cold: dict[str, list[Cold]] = {}
    costs: Costs | None = None
