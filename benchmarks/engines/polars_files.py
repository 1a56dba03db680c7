"""Polars over this project's Parquet files of events; lazy frames let it skip rows and columns.

Every question allocates credits to languages itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.engines.files import Files, files_of
from benchmarks.questions import LIMIT, Question, Raw
from pipeline.contract.tables import STATUSES

_CLOSED: Final = ("completed", "failed", "cancelled")
_MEASURES: Final = ("characters", "lines", "corrected")
_PAGE: Final = (
    *("id", "timestamp", "action", "kind", "resource_type", "resource_id", "resource_name"),
    *("user_id", "user_name", "metadata", "ip"),
)


class PolarsFiles(Files):
    """Polars, which reads the files of a question's days."""

    @contextmanager
    def reader(self) -> Iterator["_Reader"]:
        """Return a reader; there is nothing to connect to."""
        yield _Reader(self.folder)


class _Reader:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ask(self, question: Question) -> Raw:
        if not (files := files_of(self._folder, question)):
            return []
        moment = pl.col("timestamp").to_physical()
        events = pl.scan_parquet(files, hive_partitioning=False).with_columns(moment.alias("timestamp"))
        events = events.filter(pl.col("timestamp").is_between(question.start, question.end, closed="left"))
        kinds = {"summary": _summary, "by_language": _by_language, "feed": _page}
        return kinds[question.kind](events, question).rows()


def _summary(events: pl.LazyFrame, question: Question) -> pl.DataFrame:
    starts = pl.Series(question.instants[:-1])
    status, counts = pl.col("run_status"), pl.col("action") == "workflow_run"
    sums = [pl.col("languages").list.eval(pl.element().struct.field(name)).list.sum().alias(name) for name in _MEASURES]
    frame = events.select(
        "timestamp",
        "credits",
        *sums,
        pl.when(status.is_null() | status.is_in(_CLOSED)).then("audio_ms").otherwise(0).alias("audio_ms"),
        *((counts & (status == name)).fill_null(value=False).alias(name) for name in STATUSES),
    ).collect()
    windows = starts.search_sorted(frame["timestamp"], side="right").cast(pl.Int64) - 1
    return frame.drop("timestamp").group_by(windows.alias("window")).sum()


def _by_language(events: pl.LazyFrame, _: Question) -> pl.DataFrame:
    total = pl.col("languages").list.eval(pl.element().struct.field("characters")).list.sum().alias("total")
    used = events.select("credits", "languages", total).with_row_index("event")
    # The product of two valid numbers can need more than 64 bits.
    product = pl.col("credits").cast(pl.Int128) * pl.col("characters")
    divisor = pl.max_horizontal("total", 1)
    ranked = (
        used.filter(pl.col("languages").list.len() > 0)
        .explode("languages")
        .unnest("languages")
        .with_columns((product // divisor).alias("share"), (product % divisor).alias("remainder"))
        .sort("event", "remainder", "locale", descending=[False, True, False], nulls_last=True)
        .with_columns(
            pl.int_range(pl.len()).over("event").alias("place"), pl.col("share").sum().over("event").alias("shared")
        )
    )
    gets_one_more = (pl.col("total") > 0) & (pl.col("place") < pl.col("credits") - pl.col("shared"))
    tagged = ranked.select("locale", (pl.col("share").cast(pl.Int64) + gets_one_more).alias("credits"), *_MEASURES)
    # An event without characters is untagged as a whole.
    none = (pl.lit(0, pl.Int64).alias(name) for name in _MEASURES)
    untagged = used.filter(pl.col("total") == 0).select(pl.lit(None, pl.String).alias("locale"), "credits", *none)
    return pl.concat([tagged, untagged]).group_by("locale").sum().collect()


def _page(events: pl.LazyFrame, question: Question) -> pl.DataFrame:
    if question.after:
        timestamp, event_id = question.after
        earlier = pl.col("timestamp") < timestamp
        events = events.filter(earlier | ((pl.col("timestamp") == timestamp) & (pl.col("id") < event_id)))
    return events.select(_PAGE).sort("timestamp", "id", descending=True).head(LIMIT + 1).collect()
