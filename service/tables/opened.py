"""Open the tables: those of a data folder, or those of an object store with what its workers share on the disk.

The one place that knows what kind of address the settings name. Makes the folder of the copies, and removes what an
earlier service left there.

    <cache>/usage-cache-<user>/objects/     copies of objects, for all services of this user
    <cache>/usage-cache-<user>/live-*/      what the workers of one service share, for as long as it runs
"""

import fcntl
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from pipeline.contract.location import Location
from pipeline.contract.settings import SettingError, Settings
from service.tables.folder_source import FolderSource
from service.tables.source import Source

_LOOK: Final = timedelta(seconds=5)  # limits of requests; a look is repeated after a second anyway
_FETCH: Final = timedelta(minutes=1)
_FETCHES: Final = 2  # repetitions
_LIVE: Final = "live-"
_OBJECTS: Final = "objects"


@contextmanager
def shared_folder(settings: Settings) -> Iterator[Path]:
    """Yield the folder in which the workers of a service find what is published: the data folder, or a new one.

    Raises:
        SettingError: a new one cannot be made.
    """
    if not isinstance(settings.data, Location):
        yield settings.data
        return
    if find_spec("obstore") is None:
        raise SettingError(f"{settings.data.url} needs the package obstore: install workspace-usage[s3]")
    root = _own_folder(settings)
    _remove_leftovers(root)
    folder = root / f"{_LIVE}{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700)
    with folder.with_suffix(".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # which ends with the last worker
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_suffix(".lock").unlink(missing_ok=True)


def open_source(settings: Settings, shared: Path, *, following: bool = True) -> Source:
    """Return the source of the tables; called in each worker.

    Args:
        settings: where the data are, and how much copies may take.
        shared: the folder that the workers share.
        following: whether what is published later is read, too.
    """
    if not isinstance(settings.data, Location):
        return FolderSource(settings.data)
    # obstore is imported only where an address is that of an object store.
    from pipeline.contract.object_client import Client  # noqa: PLC0415
    from service.tables.mirror import Mirror  # noqa: PLC0415
    from service.tables.object_cache import ObjectCache  # noqa: PLC0415
    from service.tables.object_source import ObjectSource  # noqa: PLC0415
    from service.tables.shards import Preparation  # noqa: PLC0415

    objects = _own_folder(settings) / _OBJECTS
    cache = ObjectCache(Client(settings.data, reads=_FETCHES, limit=_FETCH), objects, settings.cache_bytes)
    mirror = Mirror(Client(settings.data, reads=0, limit=_LOOK), shared, Preparation(cache))
    if following:
        mirror.start()
    else:
        mirror.look(first=True)
    return ObjectSource(mirror, cache)


def _own_folder(settings: Settings) -> Path:
    """Return the folder of this user for copies, which nobody else may enter.

    Raises:
        SettingError: it cannot be made, or somebody else has made it.
    """
    root = Path(settings.cache_dir or tempfile.gettempdir()) / f"usage-cache-{os.geteuid()}"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = root.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise SettingError(f"USAGE_CACHE_DIR: {root} must be a folder of the service's user, with mode 0700")
        (root / _OBJECTS).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise SettingError(f"USAGE_CACHE_DIR: {root} cannot be used: {error.strerror}") from None
    return root


def _remove_leftovers(root: Path) -> None:
    """Remove what services shared that were killed."""
    for lock in root.glob(f"{_LIVE}*.lock"):
        with lock.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)
