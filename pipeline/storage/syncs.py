"""Wait until everything written to a file system is on its disk, and learn whether that failed.

`sync` has no way to report an error. `syncfs` reports one since Linux 5.8, if the kernel has noted it since the
descriptor was opened; so a run opens the data folder before it writes anything. A sync that failed must not be
repeated: the kernel may have dropped what it could not write, and would report success.
"""

import ctypes
import os
from pathlib import Path

_LIBRARY = ctypes.CDLL(None, use_errno=True)


def sync_file_system(descriptor: int, root: Path) -> None:
    """Wait until the file system of an open folder is on its disk, which takes as long as `sync` does.

    Args:
        descriptor: of the open folder.
        root: its path, for the error.

    Raises:
        OSError: something that was written since the folder was opened could not be brought to the disk.
    """
    if not hasattr(_LIBRARY, "syncfs"):  # other systems than Linux
        os.sync()
    elif _LIBRARY.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(root))
