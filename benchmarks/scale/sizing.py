"""What a large day would cost, from the measured costs of pieces: arithmetic alone.

The day has lines of every workspace in every commit. A commit rewrites the file of today of each of them, and the cube
and the actors of its month.
"""

import math
from typing import Final

import msgspec

from benchmarks.scale.costs import Costs
from pipeline.load.job import DEFAULT_LIMITS

LINES: Final = 10_000_000_000
WORKSPACES: Final = 100_000
COMMITS: Final = (288, 96, 48, 24)  # a day
HOURS: Final = 24
PUT_DOLLARS: Final = 0.005 / 1000  # of a PUT; what others charge differs
GET_DOLLARS: Final = 0.0004 / 1000
CORES: Final = 8  # of a machine
RESERVE: Final = 3  # times as many cores as are busy: for peaks, for what runs at once, and for a machine that is gone
_SHARDS: Final = 512  # of index and ledger, each read and written by such a commit
_DAY: Final = 86_400
_MILLION: Final = 1e6


class Day(msgspec.Struct, frozen=True):
    """What a day costs.

    Attributes:
        commits: how many.
        slots: for which a slice is as large as a commit.
        lines_cores: cores that are busy on the average with new lines.
        stored_cores: with rows that are stored already and written again.
        files_cores: with files and months.
        written_tb: terabytes of partitions.
        puts: PUT requests.
        gets: GET requests.
    """

    commits: int
    slots: int
    lines_cores: float
    stored_cores: float
    files_cores: float
    written_tb: float
    puts: float
    gets: float

    @property
    def cores(self) -> float:
        """Return the cores that are busy on the average."""
        return self.lines_cores + self.stored_cores + self.files_cores

    @property
    def machines(self) -> int:
        """Return how many machines have them, with the reserve, and the slots that a commit of this size needs."""
        return math.ceil(max(self.cores * RESERVE, self.slots) / CORES)

    @property
    def dollars(self) -> float:
        """Return what the requests cost."""
        return self.puts * PUT_DOLLARS + self.gets * GET_DOLLARS


def day(costs: Costs, commits: int, *, hourly: bool = False) -> Day:
    """Return what a day costs.

    Args:
        costs: of the pieces.
        commits: a day.
        hourly: as if each hour had a file of its own, and all were merged once at night.
    """
    limits = DEFAULT_LIMITS
    slice_bytes = LINES / commits * costs.line_bytes
    # On the average a commit finds half of what the file of the day, or of the hour, will have.
    stored = LINES / 2 / (HOURS if hourly else 1) * (commits - 1) + LINES * hourly
    files, months = WORKSPACES * (commits + hourly), WORKSPACES * commits
    batches = min(slice_bytes / limits.batch_bytes, limits.batches)
    buckets = min(slice_bytes / limits.bucket_bytes, limits.buckets)
    return Day(
        commits=commits,
        slots=math.ceil(slice_bytes / limits.slice_bytes * limits.slice_slots),
        lines_cores=LINES / _MILLION * (costs.read_s + costs.merge_s) / _DAY,
        stored_cores=stored / _MILLION * costs.stored_s / _DAY,
        files_cores=(files * costs.file_ms + months * costs.month_ms) / 1000 / _DAY,
        written_tb=(stored + LINES) * costs.row_bytes / 1e12,
        puts=files + 2 * months + commits * (_SHARDS + batches + buckets),
        gets=files + 2 * months + commits * (_SHARDS + batches * buckets) + HOURS * WORKSPACES * hourly,
    )
