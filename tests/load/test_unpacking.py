"""Compressed files: everything that can be unpacked is, whatever is wrong behind it, and memory stays bounded."""

import gzip
import io
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import IO

import pyarrow as pa
import pytest

from pipeline.load import gzip_members, zstd_frames
from pipeline.load.discovery import Compression
from pipeline.load.lines import blocks
from pipeline.load.packed_bytes import UnpackError

SKIPPABLE = b"\x5a\x2a\x4d\x18\x05\0\0\0hello"
UNPACKED: dict[Compression, Callable[[IO[bytes], int], Iterator[bytes]]] = {
    "gzip": gzip_members.unpacked,
    "zstd": zstd_frames.unpacked,
}


def texts(count: int, size: int = 40) -> list[bytes]:
    """Return lines, with their newlines."""
    rng = random.Random(count)
    return [b"%d %s\n" % (number, rng.randbytes(size // 2).hex().encode()) for number in range(count)]


def zstd(*frames: list[bytes]) -> tuple[bytes, list[tuple[int, int]]]:
    """Return frames of one block for each of some texts, and (bytes of the file, bytes unpacked) after each block."""
    packed, ends, unpacked = b"", [(0, 0)], 0
    for contents in frames:
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            for content in contents:
                stream.write(content)
                stream.flush()
                unpacked += len(content)
                ends.append((len(packed) + sink.tell(), unpacked))
        packed += sink.getvalue().to_pybytes()
    return packed, ends


def raw_frame(content: bytes, window: int) -> bytes:
    """Return a zstd frame of one block that is not compressed; `window` is the byte that describes the window."""
    header = (len(content) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd\0" + bytes([window]) + header + content


def read(packed: bytes, compression: Compression, chunk_bytes: int = 1 << 20) -> tuple[bytes, str]:
    """Return the whole lines of a file, and why it could not be unpacked further; empty if it could."""
    found = b""
    try:
        for block in blocks(io.BytesIO(packed), compression, 0, 0, chunk_bytes):
            found += block.lines if block.whole else b""
    except UnpackError as error:
        return found, str(error)
    return found, ""


def whole_lines(content: bytes) -> bytes:
    """Return the content up to the last newline."""
    return content[: content.rfind(b"\n") + 1]


def byte_by_byte(packed: bytes) -> bytes:
    """Return what zlib gives of gzip members, if it gets one byte at a time."""
    found, stream = b"", zlib.decompressobj(31)
    for number in range(len(packed)):
        if stream.eof:
            stream = zlib.decompressobj(31)
        try:
            found += stream.decompress(packed[number : number + 1])
        except zlib.error:
            break
    return found


@pytest.mark.parametrize("chunk_bytes", [7, 1 << 20])
def test_gzip_cut_anywhere(chunk_bytes: int) -> None:
    """Cut at any byte, a gzip file gives all whole lines that zlib unpacks; it is whole only between two members."""
    members = [gzip.compress(b"".join(texts(count)), mtime=0) for count in (5, 1, 0, 9)]
    packed = b"".join(members)
    ends = {sum(map(len, members[:count])) for count in range(1, len(members) + 1)}
    for cut in range(len(packed) + 1):
        found, error = read(packed[:cut], "gzip", chunk_bytes)
        assert found == whole_lines(byte_by_byte(packed[:cut])), cut
        assert error == ("" if cut in ends else "it ends too early"), cut


@pytest.mark.parametrize("chunk_bytes", [7, 1 << 12])
def test_zstd_cut_anywhere(chunk_bytes: int) -> None:
    """Cut at any byte, a zstd file gives the lines of every block before; it is whole only between two frames."""
    packed, ends = zstd(texts(3, 120), texts(1, 120), texts(4, 120))
    skippable_at = len(packed)
    packed += SKIPPABLE + zstd(texts(2, 120))[0]
    ends += [(skippable_at + len(SKIPPABLE) + at, ends[-1][1] + unpacked) for at, unpacked in zstd(texts(2, 120))[1]]
    content = b"".join([*texts(3, 120), *texts(1, 120), *texts(4, 120), *texts(2, 120)])
    complete = 0
    for cut in range(len(packed) + 1):
        found, error = read(packed[:cut], "zstd", chunk_bytes)
        assert found == content[: max(unpacked for at, unpacked in ends if at <= cut)], cut
        assert error in {"", "it ends too early"}
        complete += not error
    assert complete == 5  # three frames, the skippable one, the last one
    assert read(packed, "zstd", chunk_bytes) == (content, "")


def test_gzip_damaged_anywhere() -> None:
    """Whichever byte is damaged, a gzip file gives at least the lines that zlib unpacks byte by byte."""
    packed = bytearray(gzip.compress(b"".join(texts(60, 10)), mtime=0) + gzip.compress(b"".join(texts(5)), mtime=0))
    whole, _ = read(bytes(packed), "gzip")
    for place in range(len(packed)):
        packed[place] ^= 0x5A
        found, error = read(bytes(packed), "gzip")
        assert found.startswith(whole_lines(byte_by_byte(bytes(packed)))), place
        assert error or found == whole
        packed[place] ^= 0x5A


def test_zstd_damaged_anywhere() -> None:
    """Whichever byte of a block is damaged, a zstd file gives the lines of every block before."""
    packed, ends = zstd(texts(5, 120), texts(2, 120))
    content, damaged = b"".join([*texts(5, 120), *texts(2, 120)]), bytearray(packed)
    for place in range(len(packed)):
        damaged[place] ^= 0x5A
        found, _ = read(bytes(damaged), "zstd", 1 << 12)
        before = max(unpacked for at, unpacked in ends if at <= place)
        assert found[:before] == content[:before], place
        damaged[place] ^= 0x5A


@pytest.mark.parametrize("chunk_bytes", [1000, 1 << 20])
def test_the_fault_is_far_inside(chunk_bytes: int) -> None:
    """Where many chunks come before the fault, each line comes once."""
    lines = texts(20_000)
    packed, ends = zstd([b"".join(lines[start : start + 500]) for start in range(0, 20_000, 500)])
    at, unpacked = ends[-5]
    content = b"".join(lines)
    assert read(packed[: at + 3], "zstd", chunk_bytes) == (content[:unpacked], "it ends too early")
    packed = gzip.compress(content, mtime=0)[:300_000]
    assert read(packed, "gzip", chunk_bytes)[0] == whole_lines(zlib.decompressobj(31).decompress(packed))


@pytest.mark.parametrize("compression", UNPACKED)
def test_behind_the_last_member(compression: Compression) -> None:
    """Zero padding, however long, also between members, belongs to no line; anything else is reported."""
    one = gzip.compress(b"a\n") if compression == "gzip" else zstd([b"a\n"])[0]
    for padding in (1, 3, 4, 512, 70_001):
        assert read(one + bytes(padding), compression) == (b"a\n", "")
        assert read(one + bytes(padding) + one + bytes(padding), compression) == (b"a\na\n", "")
    for rest in (b"x", b"xyz", b"{}\n", bytes(70_000) + b"xyz"):
        found, error = read(one + rest, compression)
        assert found == b"a\n"
        assert "something else follows" in error


@pytest.mark.parametrize("compression", UNPACKED)
def test_no_member_at_all(compression: Compression) -> None:
    """A file of no bytes, as an upload begins, is not whole; nor is one of zeros, or one with the wrong suffix."""
    assert read(b"", compression) == (b"", "it ends too early")
    for content in (bytes(512), b'{"id": "plain"}\n', b"\n"):
        assert read(content, compression) == (b"", f"it is not in the {compression} format")


def test_the_checksum_is_wrong() -> None:
    """Where the checksum of a member or frame is wrong, its lines are there, and the file is reported."""
    packed = bytearray(gzip.compress(b"a\nb\n"))
    packed[-1] ^= 1
    assert read(bytes(packed), "gzip") == (b"a\nb\n", "it is damaged: incorrect length check")
    packed[-8] ^= 1
    assert read(bytes(packed), "gzip") == (b"a\nb\n", "it is damaged: incorrect data check")
    frame = b"\x28\xb5\x2f\xfd\x04\x00" + (4 << 3 | 1).to_bytes(3, "little") + b"a\nb\n" + b"sums"
    found, error = read(frame, "zstd")
    assert found == b"a\nb\n"
    assert "checksum" in error


def test_windows_up_to_128_mib() -> None:
    """A window of `zstd --long=27` is accepted; a larger one is reported with what to do about it."""
    assert read(raw_frame(b"a\n", 17 << 3), "zstd") == (b"a\n", "")
    for window, log, mib in ((17 << 3 | 1, 28, "144"), (18 << 3, 28, "256"), (21 << 3, 31, "2,048")):
        found, error = read(raw_frame(b"b\n", 17 << 3) + raw_frame(b"a\n", window), "zstd")
        assert found == b"b\n"
        repack = f"repack it: zstd -dc --long={log} FILE | zstd -o NEW"
        assert error == f"it needs a window of {mib} MiB, more than 128; {repack}"


@pytest.mark.parametrize("compression", UNPACKED)
def test_bombs(compression: Compression) -> None:
    """A file that unpacks to a thousand times its size needs no more memory than any other."""
    packed = gzip.compress(bytes(32 << 20), 1) if compression == "gzip" else zstd([bytes(32 << 20)])[0]
    tracemalloc.start()
    try:
        sizes = [len(piece) for piece in UNPACKED[compression](io.BytesIO(packed[:-1]), 1 << 16)]
    except UnpackError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 1 << 20
    sizes = [len(piece) for piece in UNPACKED[compression](io.BytesIO(packed), 1 << 16)]
    assert max(sizes) <= 1 << 16
    assert sum(sizes) == 32 << 20
