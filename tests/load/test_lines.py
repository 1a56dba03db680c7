"""Raw files, plain or compressed, are cut into blocks of lines, whatever pieces a read returns."""

import io
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.load.discovery import Compression
from pipeline.load.lines import Block, blocks
from tests.hostile import compress

COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}


class Drip(io.BytesIO):
    """A file whose reads return fewer bytes than asked for, as those of a pipe or a network do."""

    mode = "rb"

    def __init__(self, content: bytes, sizes: Sequence[int] = ()) -> None:
        super().__init__(content)
        self._sizes = iter(sizes)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next of the given sizes at most, and at least one byte before the end."""
        return super().read(min(next(self._sizes, 1 << 30), 1 << 30 if size is None else size))


def cut(content: bytes) -> tuple[list[bytes], bytes]:
    """Return the lines that end with a newline, and the rest after the last newline."""
    *whole, tail = content.split(b"\n")
    return whole, tail


def texts_of(block: Block) -> list[bytes]:
    """Return the lines of a block, without their newlines."""
    return block.lines.removesuffix(b"\n").split(b"\n")


PIECES = st.sampled_from([b"\n", b"\n\n", b"\r\n", b"a", b"bc", b"x" * 7, b"y" * 20, b"\0", b"\xff"])
CONTENT = st.lists(PIECES, max_size=30).map(b"".join)


@settings(max_examples=400)
@given(CONTENT, st.lists(st.integers(1, 25), max_size=40), st.integers(1, 60), st.integers(1, 9), st.data())
def test_any_cut_gives_the_same_lines(
    content: bytes, sizes: list[int], chunk: int, kept: int, data: st.DataObject
) -> None:
    """Each line comes once and with its length, whatever the chunks. A line that is too long keeps its beginning."""
    start, end = sorted([data.draw(st.integers(0, len(content))), data.draw(st.integers(0, len(content)))])
    found = list(blocks(Drip(content, sizes), None, start, end, chunk, line_kept_bytes=kept))
    whole, tail = cut(content[start:end])
    assert [block.whole for block in found if not block.whole] == ([False] if tail else [])
    assert all(block.whole for block in found[:-1])
    left = [*whole, tail] if tail else whole
    for block in found:
        texts = texts_of(block)
        expected, left = left[: len(texts)], left[len(texts) :]
        assert block.bytes == sum(len(text) + block.whole for text in expected)
        assert sum(map(len, texts)) + block.dropped == sum(map(len, expected))
        for text, given_text in zip(texts, expected, strict=True):
            if text != given_text:
                assert len(texts) == 1
                assert kept <= len(text) < len(given_text)
                assert given_text.startswith(text)
    assert not left


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@given(content=CONTENT, chunk=st.integers(1, 30))
def test_compressed_files_give_the_same_lines(suffix: str, content: bytes, chunk: int) -> None:
    """A compressed file gives the lines of its content, however it is read and however many members it has."""
    file = Drip(compress(suffix, content))
    found = list(blocks(file, COMPRESSIONS[suffix], 0, 0, chunk))
    whole, tail = cut(content)
    assert [text for block in found if block.whole for text in texts_of(block)] == whole
    assert [block.lines for block in found if not block.whole] == ([tail] if tail else [])
    assert sum(block.bytes for block in found) == len(content)
