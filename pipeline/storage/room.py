"""Look whether a process has the address space without which libraries do not fail but crash.

Reads and writes nothing.
"""

import mmap
from typing import Final

# With less, DuckDB 2.0 may end the process by a segmentation fault when it is opened, and so may the threads of Arrow
# when they start.
ROOM_BYTES: Final = 128 << 20


def require_room() -> None:
    """Look whether there is enough, before anything was changed.

    Raises:
        MemoryError: there is too little address space.
    """
    try:
        mmap.mmap(-1, ROOM_BYTES).close()  # costs nothing: no page of it is used
    except OSError:
        raise MemoryError from None
