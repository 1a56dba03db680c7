"""The directory on an object store: its files as local copies, of which the file of local keys may be changed.

Reads the objects below `directory/`; replaces that of the local keys if its copy was changed, unless somebody else did
so in between.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.contract.directory import FILES, LOCAL_KEYS, DirectoryError
from pipeline.contract.object_client import Client
from pipeline.contract.object_errors import ChangedError
from pipeline.contract.settings import DIRECTORY
from pipeline.storage.lock import BusyError


@contextmanager
def copied(client: Client, folder: Path) -> Iterator[Path]:
    """Yield a folder with copies of the directory's files.

    Args:
        client: of the store.
        folder: for the copies; created.

    Raises:
        BusyError: at the end: somebody else has changed the local keys; nothing was stored.
        DirectoryError: whatever was raised meanwhile, with the address of the file that the copy was made of.
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
    try:
        yield folder
    except DirectoryError as error:
        raise error.of((client.location / DIRECTORY).url) from error
    path = folder / LOCAL_KEYS
    after = path.read_bytes() if path.exists() else b""
    if after != before:
        try:
            client.replace(f"{DIRECTORY}/{LOCAL_KEYS}", after, etag)
        except ChangedError as error:
            raise BusyError(f"{error}; nothing was stored") from None
