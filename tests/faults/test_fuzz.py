"""Fuzzing `bulk.c` finds nothing in it, and finds the faults that are planted in a copy of it."""

import os
import shlex
import subprocess
import zlib
from itertools import islice
from pathlib import Path

import pytest

from pipeline.validation import native
from tests.faults.fuzz import corpus, differential, guided
from tests.support import missing
from tests.support.bulk_corpus import NEEDS_LIBRARY

CC = shlex.split(os.environ.get("CC", "")) or ["cc"]

# Planted in a copy of `bulk.c`: what to replace, and by what.
BROKEN = {
    # An unterminated string goes on over the newline, which is 10.
    "a limit that is too low by one": ("(word - LOW_BITS * 0x20)", "(word - LOW_BITS * '\\n')"),
    "a count that overflows": ("if (*count > COUNT_MAX) return false;", ""),
    "texts that the next line overwrites": ("state->scratch = line.scratch - state->buffer;", ""),
}
TOO_MANY = {
    "no century without a leap day": ("year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)", "year % 4 == 0"),
    "a leap day every year": ("(month == 2 && is_leap)", "(month == 2)"),
    "any half of a pair of surrogates": ("if (low < 0xDC00 || low >= 0xE000) return -1;", "if (low < 0) return -1;"),
    "a surrogate in UTF-8": (" || (lead == 0xED && next > 0x9F)", ""),
    "a subtag of nine characters": ("if (length > 8) return false;", "if (length > 9) return false;"),
    "an amount beyond the last one": ("if (*count > COUNT_MAX)", "if (*count > COUNT_MAX + 1)"),
    "a zero before a number": ("(*start != '0' || line->at == start + 1)", "true"),
    "one level too deep": ("if (depth == METADATA_DEPTH_MAX)", "if (depth == METADATA_DEPTH_MAX + 1)"),
    "a repeated key": ("if (seen >> place & 1 || !take_field", "if (!take_field"),
    "a repeated key in metadata": ("(size_t)keys[count].size)) return false;", "(size_t)keys[count].size)) break;"),
    "a control character in metadata": ("if (point < 0x20) return false;", ""),
    "ties of locales the other way": ("order ? order : one.size - other.size", "order ? order : other.size - one.size"),
    "an offset that counts the other way": ("*at == '-' ? -1 : 1", "*at == '+' ? -1 : 1"),
    "texts that the next field overwrites": ("line->scratch += text->size;", ""),
    "the last instant, and one more": ("row->timestamp > state->latest", "row->timestamp > state->latest + 1"),
}

MUTANTS = 12_000


def planted(folder: Path, old: str, new: str) -> Path:
    """Return a copy of `bulk.c` with a fault."""
    text = guided.SOURCE.read_text()
    assert text.count(old) == 1, old
    source = folder / "bulk.c"
    source.write_text(text.replace(old, new))
    return source


@pytest.fixture
def guided_folder(tmp_path: Path) -> Path:
    """Return a folder with the corpus and the catalogues for libFuzzer."""
    if reason := guided.lacking():
        missing.skip(reason)
    corpus.unpack([*corpus.load(), *corpus.seeds()], tmp_path / "corpus")
    return tmp_path


@pytest.fixture(scope="module")
def mutants() -> list[bytes]:
    """Return changed lines of the corpus and of the catalogues."""
    lines = dict.fromkeys(corpus.lines_of([*corpus.load(), *corpus.seeds()]))
    good = differential.good_lines(list(lines))
    return list(islice(differential.mutants(good, 1), MUTANTS))


def test_guided(guided_folder: Path) -> None:
    """The corpus and many new inputs break nothing, and what is approved of them is good."""
    found = guided.run(guided.compiled(guided_folder), guided_folder, runs=20_000)
    assert found.fault is None, found
    assert found.inputs >= 20_000
    assert found.approved > 3_000
    compared = differential.compare(iter(found.sample))
    assert compared == (found.approved, found.approved, None)


def test_the_corpus_reaches_all_of_the_file(guided_folder: Path) -> None:
    """Corpus and catalogues execute all lines of `bulk.c`, and all branches but four: no room, a long line."""
    if reason := guided.lacking("llvm-profdata", "llvm-cov"):
        missing.skip(reason)
    covered = guided.coverage(guided_folder, [*corpus.load(), *corpus.seeds()])
    assert covered.lines_missed == 0
    assert covered.branches_missed <= 4


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_found(guided_folder: Path, name: str) -> None:
    """A planted overrun, overflow or broken invariant is found and reported with its input."""
    source = planted(guided_folder, *BROKEN[name])
    program = guided.compiled(guided_folder, source, (*guided.SANITIZERS, "-O0"))  # compiled in a third of the time
    found = guided.run(program, guided_folder, runs=10_000)
    assert found.fault is not None
    assert found.culprit is not None


@NEEDS_LIBRARY
def test_differential(mutants: list[bytes]) -> None:
    """What is approved of the corpus and of its changes is good, with the same row."""
    lines = list(corpus.lines_of(corpus.load()))
    assert differential.compare(iter(lines)).fault is None
    compared = differential.compare(iter(mutants))
    assert compared.fault is None
    assert compared.approved > MUTANTS // 3


@pytest.mark.parametrize("name", TOO_MANY)
def test_an_approval_too_many_is_found(mutants: list[bytes], tmp_path: Path, name: str) -> None:
    """A planted approval of a bad line, or of another row than that of the line, is found."""
    library = tmp_path / "libbulk.so"
    checksum = f"-DSOURCE_CRC32={zlib.crc32(guided.SOURCE.read_bytes())}"
    source = planted(tmp_path, *TOO_MANY[name])
    subprocess.run([*CC, "-std=c11", "-shared", "-fPIC", checksum, "-o", library, source], check=True)
    fault = differential.compare(iter(mutants), native.load(library)).fault
    assert fault is not None
    assert differential.compare(iter(fault)).fault is None
