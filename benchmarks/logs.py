"""The logs that all engines load: the sample as it came, and its good lines alone as plain files.

No other engine has a judge of bad lines, so each is spared them, and the decompression, which is to its advantage.
"""

import io
from pathlib import Path

import pyarrow as pa

from benchmarks.engines.engine import Logs
from pipeline.calendar import DAY_US
from pipeline.judge import judge
from pipeline.records import Row
from pipeline.sample import write
from pipeline.sample_cast import Plan
from pipeline.tables import RAW


def write_logs(folder: Path, plan: Plan) -> Logs:
    """Write a sample and its good lines."""
    write(folder, plan)
    clean = folder / "clean"
    clean.mkdir()
    for path in sorted((folder / RAW).iterdir()):
        stream = io.BufferedReader(pa.input_stream(str(path), compression="detect"))
        with stream, (clean / f"{path.name.partition('.')[0]}.jsonl").open("wb") as file:
            file.writelines(line for line in stream if isinstance(judge(line[:-1], plan.now + DAY_US), Row))
    return Logs(folder, sorted(clean.iterdir()))
