"""The tables of a data folder, put on an object store as the layout says, and services that read them there."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.contract.directory import FILES
from pipeline.contract.layout import IndexShard, Root, StoredFile, encode_packed, encode_root
from pipeline.contract.location import Location
from pipeline.contract.object_client import Client
from pipeline.contract.object_names import ROOT, index_key, object_key, object_name, packed_name, shard_of_path
from pipeline.contract.settings import DIRECTORY, Settings
from pipeline.contract.tables import PUBLISHED, Manifest, Published
from service.application import create_app
from service.http.front import Front
from service.tables.mirror import Mirror
from service.tables.object_cache import ObjectCache
from service.tables.object_source import ObjectSource
from service.tables.shards import Preparation
from tests.support.fake_obstore import FakeObstore, Stored

BUCKET: Final = Location("bucket")

Put = Callable[[str, bytes], object]


class ObjectTables:
    """Copies of the tables of a folder on an object store; each upload is a commit.

    Args:
        folder: the data folder.
        put: stores an object in place of any other.
        delete: deletes an object; None keeps those that no root names any more.
    """

    def __init__(self, folder: Path, put: Put, delete: Callable[[str], object] | None = None) -> None:
        self._folder, self._put, self._delete = folder, put, delete
        self._shards: dict[str, IndexShard] = {}
        self._index: dict[str, StoredFile] = {}
        self.files: dict[str, StoredFile] = {}  # current, by logical path
        self.superseded: set[str] = set()  # keys

    def upload(self, **changed: Any) -> Root:
        """Store the tables as they are in the folder now, then the root, in which some fields are replaced."""
        attempt = secrets.token_hex(4)
        published = msgspec.json.decode((self._folder / PUBLISHED).read_bytes(), type=Published)
        changes: dict[str, StoredFile | None] = {}
        current = set(self._paths())
        for path in current:
            content = (self._folder / path).read_bytes()
            file = StoredFile.of(object_name(path, published.run, attempt), content)
            known = self.files.get(path)
            if known is None or (known.size, known.checksum) != (file.size, file.checksum):
                self._put(object_key(path, file.name), content)
                changes[path] = file
        changes |= dict.fromkeys(self.files.keys() - current)
        for shard in {shard_of_path(path) for path in changes}:
            theirs = {path: file for path, file in changes.items() if shard_of_path(path) == shard}
            before = self._shards.get(shard, IndexShard())
            self.superseded |= before.superseded_by(theirs)
            self._shards[shard] = before.changed(theirs)
            content = encode_packed(self._shards[shard])
            if shard in self._index:
                self.superseded.add(index_key(shard, self._index[shard].name))
            self._index[shard] = StoredFile.of(packed_name(published.run, attempt), content)
            self._put(index_key(shard, self._index[shard].name), content)
        for path, found in changes.items():
            if found is None:
                del self.files[path]
            else:
                self.files[path] = found
        fields = msgspec.structs.asdict(published) | {"nonce": secrets.token_hex(8), "index": dict(self._index)}
        root = Root(**(fields | changed))
        self._put(ROOT, encode_root(root))
        return root

    def sweep(self) -> None:
        """Delete what no root names any more."""
        assert self._delete is not None
        for key in self.superseded:
            self._delete(key)
        self.superseded = set()

    def upload_directory(self) -> None:
        """Store the files of the directory as they are in the folder now."""
        for name in FILES:
            path = self._folder / DIRECTORY / name
            if path.exists():
                self._put(f"{DIRECTORY}/{name}", path.read_bytes())

    def _paths(self) -> Iterator[str]:
        for manifest in self._folder.glob("manifests/*.json"):
            for month in msgspec.json.decode(manifest.read_bytes(), type=Manifest).months.values():
                yield from (month.cube, month.actors)
        for path in self._folder.glob("events/*/*/events.parquet"):
            yield path.relative_to(self._folder).as_posix()


class ReadOnlyObjects(FakeObstore):
    """Objects in memory that a client may read and nothing else: neither write nor list them."""

    def __init__(self) -> None:
        super().__init__(lambda: 0)
        self.reads: list[str] = []  # keys, in order

    def store_object(self, key: str, content: bytes) -> None:
        """Store an object, past the client."""
        self.objects[key] = Stored(content, 0)

    def delete_object(self, key: str) -> None:
        """Delete an object, past the client."""
        self.objects.pop(key, None)

    def get(self, store: object, path: str, *, options: Any = None) -> Any:
        """Return an object."""
        self.reads.append(path)
        return super().get(store, path, options=options)

    def refuse(self, *_: Any, **__: Any) -> Any:
        """Fail: a service only reads."""
        raise AssertionError("a service only reads")

    head = put = delete = list = refuse


class Replica:
    """A service that reads objects in memory, with a cache of its own, as one worker in this process.

    Args:
        objects: the store.
        cache: an empty folder.
        cache_bytes: how much copies may take.
        shared: what workers of one service share; None for a service of its own.
    """

    def __init__(
        self, objects: FakeObstore, cache: Path, cache_bytes: int = 1 << 30, shared: Path | None = None
    ) -> None:
        self.folder = shared or cache / "live"
        self.copies = cache / "objects"
        for folder in (self.folder, self.copies):
            folder.mkdir(parents=True, exist_ok=True)
        client = Client(BUCKET, api=objects, pause=lambda _: None)
        self.cache = ObjectCache(client, self.copies, cache_bytes)
        self.preparation = Preparation(self.cache)
        self.mirror = Mirror(client, self.folder, self.preparation)
        self.source = ObjectSource(self.mirror, self.cache)

    def app(self, now: int, monotonic: Callable[[], float], patch: Any, **environ: str) -> Front:
        """Return the application, which looks at the store when `mirror.look` is called."""
        settings = Settings.read(environ, data_dir="s3://bucket")
        patch.setattr("service.application.open_source", lambda *_: self.source)
        return create_app(settings, lambda: now, monotonic=monotonic, shared=self.folder)

    def close(self) -> None:
        """End its threads."""
        self.source.close()
        self.preparation.close()


@contextmanager
def replica(objects: FakeObstore, cache: Path, **options: Any) -> Iterator[Replica]:
    """Yield a replica, which has looked at the store once."""
    found = Replica(objects, cache, **options)
    found.mirror.look(first=True)
    try:
        yield found
    finally:
        found.close()
