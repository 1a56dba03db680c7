"""Compile `bulk.c` with libFuzzer and the sanitizers for memory and undefined behaviour, and run it on a corpus."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.contract.actions import ACTIONS
from pipeline.contract.tables import STATUSES
from pipeline.validation import native
from pipeline.validation.validate import FIRST_INSTANT
from tests.faults.fuzz import corpus
from tests.support.lines import LATEST

SOURCE: Final = native.PATH.with_name("bulk.c")
_HERE: Final = Path(__file__).parent
_CC: Final = shlex.split(os.environ.get("FUZZ_CC", "")) or ["clang"]
SANITIZERS: Final = (
    *("-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"),
    "-fno-sanitize-coverage=trace-cmp",  # twice as many inputs a second; the dictionary has what comparisons would tell
)
_COVERAGE: Final = ("-fsanitize=fuzzer", "-fprofile-instr-generate", "-fcoverage-mapping")
# Without stacks of allocations, and with few freed ones kept, an input takes a fifth less.
_ENVIRONMENT: Final = {"ASAN_OPTIONS": "malloc_context_size=0:quarantine_size_mb=1"}
_WARNINGS: Final = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")


class Outcome(NamedTuple):
    """What a run of libFuzzer did."""

    inputs: int
    lines: int
    approved: int  # of the lines
    sample: list[bytes]  # some of the approved lines
    fault: str | None  # what the sanitizers or the harness reported
    culprit: bytes | None  # the input that did it


class Coverage(NamedTuple):
    """How much of `bulk.c` a corpus executes."""

    lines_percent: float
    branches_percent: float
    lines_missed: int
    branches_missed: int


def lacking(*tools: str) -> str | None:
    """Return why this machine cannot run the fuzzer, or None."""
    absent = [tool for tool in (_CC[0], *tools) if shutil.which(tool) is None]
    return f"there is no {', no '.join(absent)}" if absent else None


def compiled(folder: Path, source: Path = SOURCE, options: Sequence[str] = SANITIZERS) -> Path:
    """Compile the harness with a `bulk.c`.

    Raises:
        RuntimeError: the compiler fails, for example because it has no runtime of libFuzzer.
    """
    program = folder / "fuzz"
    lists = {"ACTIONS": ACTIONS, "STATUSES": STATUSES}
    defined = [f"-D{name}=" + ",".join(f'"{word}"' for word in words) for name, words in lists.items()]
    instants = (f"-DEARLIEST=INT64_C({FIRST_INSTANT})", f"-DLATEST=INT64_C({LATEST})")
    command = [*_CC, "-std=c11", "-g", *_WARNINGS, *options, *defined, *instants, f"-I{source.parent}"]
    sources = [str(_HERE / name) for name in ("harness.c", "mutator.c")]
    done = subprocess.run([*command, "-o", str(program), *sources], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{shlex.join(_CC)}: {done.stderr}")
    return program


def run(program: Path, folder: Path, *, runs: int, seed: int = 1, every: int = 1) -> Outcome:
    """Try inputs, and keep the interesting ones.

    Args:
        program: from `compiled`.
        folder: has the inputs to begin with, in `corpus/`; takes those found and everything else.
        runs: how many inputs to try; 0 only replays the corpus.
        seed: of the random changes.
        every: of so many approved lines, one is in the sample.
    """
    dictionary, sample, counts, culprits = (folder / name for name in ("dictionary", "sample", "counts", "culprits"))
    corpus.write_dictionary(dictionary)
    culprits.mkdir(exist_ok=True)
    done = subprocess.run(
        [
            *(str(program), str(folder / "corpus"), f"-runs={runs}", f"-seed={seed}", f"-dict={dictionary}"),
            *(
                f"-max_len={corpus.BLOCK_BYTES_MAX}",
                "-mutate_depth=2",
                "-reload=0",
                "-timeout=20",
                f"-artifact_prefix={culprits}/",
            ),
        ],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        env={
            **os.environ,
            **_ENVIRONMENT,
            "FUZZ_SAMPLE": str(sample),
            "FUZZ_EVERY": str(every),
            "FUZZ_COUNTS": str(counts),
        },
    )
    if done.returncode:
        culprit = next((path.read_bytes() for path in culprits.iterdir()), None)
        return Outcome(0, 0, 0, [], _reported(done.stderr), culprit)
    inputs, lines, approved = map(int, counts.read_text().split())
    return Outcome(inputs, lines, approved, sample.read_bytes().split(b"\n")[:-1], None, None)


def _reported(text: str) -> str:
    """Return what matters in libFuzzer's output: from the first report on."""
    lines = text.splitlines()
    marks = ("ERROR: AddressSanitizer", "runtime error", "broken:", "ERROR: libFuzzer")
    first = next((number for number, line in enumerate(lines) if any(mark in line for mark in marks)), 0)
    return "\n".join(lines[first : first + 12])


def minimized(folder: Path) -> list[bytes]:
    """Return as few blocks of `folder/corpus` as reach all that any of them reaches, short ones first."""
    program, kept = compiled(folder, options=(*SANITIZERS, "-O0")), folder / "kept"  # each condition is a branch
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    command = [str(program), "-merge=1", f"-max_len={corpus.BLOCK_BYTES_MAX}", str(kept), str(folder / "corpus")]
    subprocess.run(command, check=True, capture_output=True)
    return [path.read_bytes() for path in kept.iterdir()]


def coverage(folder: Path, blocks: Sequence[bytes]) -> Coverage:
    """Return how much of `bulk.c` some blocks execute; needs `llvm-profdata` and `llvm-cov`."""
    program, raw, profile = compiled(folder, options=_COVERAGE), folder / "raw", folder / "profile"
    corpus.unpack(blocks, folder / "covered")
    environment = {**os.environ, "LLVM_PROFILE_FILE": str(raw)}
    subprocess.run([program, "-runs=0", folder / "covered"], check=True, capture_output=True, env=environment)
    subprocess.run(["llvm-profdata", "merge", "-o", profile, raw], check=True)
    exported: list[str | Path] = ["llvm-cov", "export", "-summary-only", f"-instr-profile={profile}", program]
    found = json.loads(subprocess.run(exported, check=True, capture_output=True).stdout)
    (summary,) = (file["summary"] for file in found["data"][0]["files"] if file["filename"] == str(SOURCE))
    lines, branches = summary["lines"], summary["branches"]
    return Coverage(
        round(lines["percent"], 2),
        round(branches["percent"], 2),
        lines["count"] - lines["covered"],
        branches["count"] - branches["covered"],
    )
