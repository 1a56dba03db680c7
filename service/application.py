"""The service put together: directory, sessions, tables, handlers, front."""

from collections.abc import Callable

from pipeline.settings import Settings
from service.directory import DirectoryReader
from service.front import Front
from service.handlers import create_handlers
from service.sessions import Sessions
from service.snapshots import Snapshots


def create_app(settings: Settings, clock: Callable[[], int]) -> Front:
    """Return the ASGI application over one data folder.

    Args:
        settings: where the data and the keys of sessions are.
        clock: what time it is, in microseconds UTC; asked once a request.

    Raises:
        DirectoryError: a directory file is broken, and there is no good one to keep.
        SettingError: `USAGE_JWKS` is neither a path nor a URL that may be fetched.
    """
    snapshots = Snapshots(settings.data_dir)
    directory, sessions = DirectoryReader(settings.data_dir), Sessions(settings)
    return Front(create_handlers(snapshots), directory, sessions, snapshots, clock)
