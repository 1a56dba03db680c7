"""The directory on an object store: its files as local copies, of which the file of local keys may be changed.

Reads the objects below `directory/`; replaces that of the local keys if its copy was changed, unless somebody else did
so in between.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.contract.directory import FILES, LOCAL_KEYS
from pipeline.contract.object_client import Client
from pipeline.contract.settings import DIRECTORY


@contextmanager
def copied(client: Client, folder: Path) -> Iterator[Path]:
    """Yield a folder with copies of the directory's files.

    Args:
        client: of the store.
        folder: for the copies; created.

    Raises:
        ChangedError: at the end: somebody else has changed the local keys; nothing was stored.
        ObjectStoreError: the store cannot be used.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    etag, before = None, b""
    for name in FILES:
        content = client.get(f"{DIRECTORY}/{name}")
        if content is not None:
            (folder / name).write_bytes(content.bytes)
            if name == LOCAL_KEYS:
                etag, before = content.found.etag, content.bytes
    yield folder
    path = folder / LOCAL_KEYS
    after = path.read_bytes() if path.exists() else b""
    if after != before:
        client.replace(f"{DIRECTORY}/{LOCAL_KEYS}", after, etag)
