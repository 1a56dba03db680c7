"""Deliveries: raw files as producers write them, plain and compressed, with a directory."""

import gzip
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from tests.hostile.bad_lines import bad_lines
from tests.hostile.cast import Cast, make_cast, make_directory
from tests.hostile.lenient_lines import good_lines
from tests.hostile.records import awkward_records, competing_versions, edge_records, ordinary_records
from tests.hostile.texts import write_line
from tests.oracle import Directory

BOM = b"\xef\xbb\xbf"
SUFFIXES = (".jsonl", ".jsonl", ".jsonl.gz", ".jsonl.zst")


@dataclass(frozen=True)
class Delivery:
    """Raw files by name, which may contain folders; the directory's rows; valid keys by (workspace, user)."""

    files: list[tuple[str, bytes]]
    cast: Cast
    directory: Directory
    tokens: Mapping[tuple[str, str], str]


def deliver(
    seed: int, now_us: int, *, events: int = 2000, files: int = 7, hostile: bool = True, edges: int = 1
) -> Delivery:
    """Make a delivery for a run that starts at `now_us`. The same seed and instant give the same bytes.

    Args:
        seed: chooses everything that varies.
        now_us: when the run starts.
        events: how many of them are ordinary.
        files: how many there are, besides those that have no line.
        hostile: whether there is anything else than ordinary events.
        edges: one of so many events at the edges of awkward zones: 1,200 on 300 days, for tests of the calendar.
    """
    rng = random.Random(seed)
    cast = make_cast(rng)
    directory, tokens = make_directory(rng, cast)
    records = list(ordinary_records(rng, cast, now_us, events))
    raw = [write_line(record) for record in records]
    if hostile:
        records += list(edge_records(rng, cast, now_us, now_us))[::edges]
        records += awkward_records(rng, cast, now_us)
        records += competing_versions(rng, cast, rng.sample(records, len(records) // 10))
        raw = [write_line(record, rng) for record in records]
        raw += hostile_lines(rng, now_us)
    raw += rng.sample(raw, len(raw) // 30)
    rng.shuffle(raw)
    return Delivery(pack(rng, raw, files, hostile=hostile), cast, directory, tokens)


def hostile_lines(rng: random.Random, now_us: int, share: float = 0.3) -> list[bytes]:
    """Return random good and bad lines of the catalogues, and blank lines."""
    lines = [bad.line for bad in bad_lines(now_us) if not bad.last and rng.random() < share]
    lines += [good.line for good in good_lines(now_us) if rng.random() < share]
    return [*lines, b"", b"\r", b" \t ", b"    \r"]


def pack(rng: random.Random, lines: Iterable[bytes], files: int, *, hostile: bool = True) -> list[tuple[str, bytes]]:
    """Distribute lines over files of every kind, some with a BOM, some with CRLF, some without a last newline."""
    shares: list[list[bytes]] = [[] for _ in range(files)]
    for line in lines:
        rng.choice(shares).append(line)
    packed = []
    for number, share in enumerate(shares):
        newline = b"\r\n" if hostile and number % 3 == 1 else b"\n"
        content = b"".join(line + newline for line in share)
        if hostile and number % 2:
            content = BOM + content
        if hostile and number % 3 == 2:
            content += rng.choice((b'{"id":"torn', b'{"id":"cut \xe2\x82', b"  ", b"12", share[0] if share else b""))
        suffix = SUFFIXES[number % len(SUFFIXES)]
        packed.append((f"{rng.choice(('', '2026/', 'a b/ü/'))}log-{number:03d}{suffix}", compress(suffix, content)))
    if hostile:
        packed += [("empty.jsonl", b""), ("empty.jsonl.gz", gzip.compress(b"", mtime=0)), ("newline.jsonl", b"\n")]
    return packed


def compress(suffix: str, content: bytes) -> bytes:
    """Compress by the suffix. A gzip file gets two members, as after an append."""
    if suffix.endswith(".gz"):
        half = len(content) // 2
        return gzip.compress(content[:half], mtime=0) + gzip.compress(content[half:], mtime=0)
    if suffix.endswith(".zst"):
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(content)
        return bytes(sink.getvalue().to_pybytes())
    return content
