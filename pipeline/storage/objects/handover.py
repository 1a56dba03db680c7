"""What pieces of work on different machines hand to each other: staged files, compressed, several in one object.

Writes objects below `staging/`, and reads parts of them. A piece stages a file for each bucket or group of months, and
each request costs more than the bytes of such a file. So they go into one object, of which each reader fetches its
part. The name of a part says where it is: `staging/<run>/<attempt>/<token>.pack/<offset>-<bytes>`.
"""

import secrets
from pathlib import Path
from typing import IO, Final

import pyarrow as pa

from pipeline.contract.layout import StoredFile
from pipeline.contract.object_client import Client
from pipeline.storage import digests
from pipeline.storage.objects.scratch import Scratch

# No file is added to an object of this size: it is sent again as a whole if an answer is lost.
_PACK_BYTES: Final = 64 << 20
_PORTION_BYTES: Final = 4 << 20


def hand_over(client: Client, scratch: Scratch, uris: list[str]) -> list[str]:
    """Put staged files of one piece of work, and return the names of the parts that they are, in the same order.

    Raises:
        ObjectStoreError: the store cannot be used.
    """
    names: list[str] = []
    while len(names) < len(uris):
        run = "/".join(uris[0].split("/")[:3])
        key = f"{run}/{secrets.token_hex(8)}.pack"
        path = scratch.path(key)
        with path.open("xb") as pack:
            for uri in uris[len(names) :]:
                start = pack.tell()
                _compress(scratch.path(uri), pack)
                names.append(f"{key}/{start}-{pack.tell() - start}")
                if pack.tell() >= _PACK_BYTES:
                    break
        known = digests.of_file(path)
        client.create(key, path, StoredFile(key, known.size, known.checksum))
        path.unlink()
    return names


def fetch(client: Client, scratch: Scratch, name: str) -> Path:
    """Return the path of a copy of a staged file that another piece of work handed over.

    Raises:
        FileNotFoundError: there is no such object.
        ObjectStoreError: the store cannot be used.
    """
    path = scratch.path(name)
    if path.exists():
        return path
    key, _, part = name.rpartition("/")
    start, size = map(int, part.split("-"))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    packed, unfinished = scratch.path(f"{name}.zst"), scratch.path(f"{name}.unfinished")
    with packed.open("wb") as file:
        file.writelines(client.stream(key, start=start, size=size))
    with pa.CompressedInputStream(pa.OSFile(str(packed)), "zstd") as source, unfinished.open("wb") as target:
        while portion := source.read(_PORTION_BYTES):
            target.write(portion)
    packed.unlink()
    return unfinished.rename(path)


def _compress(path: Path, pack: IO[bytes]) -> None:
    """Append a file to a pack."""
    with path.open("rb") as file, pa.CompressedOutputStream(_Kept(pack), "zstd") as target:
        while portion := file.read(_PORTION_BYTES):
            target.write(portion)


class _Kept:
    """A file that stays open when what compresses into it is done."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self.write, self.flush = file.write, file.flush

    def close(self) -> None:
        """Do nothing."""
