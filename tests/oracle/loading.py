"""Load raw files by the contract: count every line, and find the current version of every event."""

import gzip
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import pyarrow as pa

from tests.oracle.events import Event
from tests.oracle.forgetting import forget, names
from tests.oracle.validation import validate

_BOM = b"\xef\xbb\xbf"
_validate = lru_cache(maxsize=1 << 14)(validate)  # some lines are loaded again, without somebody


@dataclass(frozen=True)
class BadLine:
    """A rejected line in quarantine."""

    file: str
    line_number: int
    reason: str
    field: str | None
    line: bytes


@dataclass
class Accounting:
    """The counts of one file. Of identical lines of a current version, the first one loaded is accepted."""

    lines: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    blank: int = 0

    def __add__(self, other: "Accounting") -> "Accounting":
        return Accounting(**{name: count + getattr(other, name) for name, count in vars(self).items()})


@dataclass
class Log:
    """The result of loading: current events by identity, bad lines in reading order, and the accounting by file."""

    events: dict[tuple[str, int, str], Event] = field(default_factory=dict)
    bad_lines: list[BadLine] = field(default_factory=list)
    accounting: dict[str, Accounting] = field(default_factory=dict)


def read_log(files: Mapping[str, bytes], run_start_us: int, forgotten: Collection[str] = ()) -> Log:
    """Validate every line, take out the forgotten users, and keep the version with the highest rank of each event."""
    log = Log()
    came_from: dict[tuple[str, int, str], str] = {}
    for name, content in files.items():
        counts = log.accounting[name] = Accounting()
        for number, (line, last) in enumerate(split_lines(unpack(name, content)), start=1):
            counts.lines += 1
            verdict = _validate(line, last=last, run_start_us=run_start_us)
            if verdict.is_blank:
                counts.blank += 1
            elif verdict.reason is not None and names(line, forgotten):
                counts.duplicates += 1
            elif verdict.reason is not None:
                counts.rejected += 1
                log.bad_lines.append(BadLine(name, number, verdict.reason, verdict.field, line))
            elif verdict.event is not None:
                counts.duplicates += 1
                event, _ = forget(verdict.event, forgotten)
                if event is not None and (
                    event.identity not in log.events or event.rank > log.events[event.identity].rank
                ):
                    log.events[event.identity] = event
                    came_from[event.identity] = name
    for name in came_from.values():
        log.accounting[name].accepted += 1
        log.accounting[name].duplicates -= 1
    return log


def unpack(name: str, content: bytes) -> bytes:
    """Decompress a file by its ending."""
    if name.endswith(".gz"):
        return gzip.decompress(content)
    if name.endswith(".zst"):
        with pa.input_stream(io.BytesIO(content), compression="zstd") as stream:
            return bytes(stream.read())
    return content


def split_lines(content: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield each line without its newline, and whether it ends the file without one. Skip a BOM at the start."""
    *lines, rest = content.removeprefix(_BOM).split(b"\n")
    for line in lines:
        yield line, False
    if rest:
        yield rest, True
