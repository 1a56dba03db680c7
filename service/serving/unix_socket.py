"""The Unix socket that the service listens on instead of a port, for a proxy on the same machine.

All workers accept from one socket, because the kernel distributes no connections among several Unix sockets. Who may
connect is decided by the mode of its file.
"""

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from service.serving.listener import BACKLOG, PortError

_HIDDEN: Final = 0o117  # from the mode of the file: owner and group may connect


def open_unix(path: Path) -> socket.socket:
    """Return a socket that listens at a path. A socket that was left there, and on which nobody listens, is replaced.

    Raises:
        PortError: somebody listens there, or it cannot be listened on.
    """
    listener = socket.socket(socket.AF_UNIX)
    try:
        remove_unused(path)
        umask = os.umask(_HIDDEN)
        try:
            listener.bind(os.fspath(path))
        finally:
            os.umask(umask)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = "somebody listens there, or it is another file" if error.errno == errno.EADDRINUSE else error.strerror
        raise PortError(f"cannot listen on {path}: {reason or error}") from None
    return listener


def remove_unused(path: Path) -> None:
    """Remove the file of a socket on which nobody listens any more; any other file is left.

    Raises:
        OSError: it cannot be removed.
    """
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode) and not _has_listener(path):
            path.unlink()


def _has_listener(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)  # one whose queue is full has a listener too
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            return False
        except BlockingIOError:
            pass
    return True
