"""How the processes of a command start.

Sets an environment variable, which the processes that they start inherit, and options of the C library; no module does
so when it is imported.
"""

import ctypes
import os
import sys
from typing import Final

# Parameters of `mallopt` in glibc.
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_MAPPED_BYTES: Final = 1 << 20  # larger blocks are mapped, and go back to the system as soon as they are freed
_ARENAS: Final = 2


def limit_threads() -> None:
    """Leave numpy without the threads of its linear algebra, which nothing here uses.

    They would keep a core busy at the start of every process. To be called before numpy is imported.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def bound_free_memory() -> None:
    """Let the C library keep little of the memory that this process freed, so that it does not grow from run to run.

    Each run has threads of its own. glibc gives a thread one of 8 arenas a core, and once a large block was freed, it
    takes blocks of up to 32 MiB from these. They fill up one after the other and never shrink: 20 MB were in use, while
    the process grew by 0.1 MB a run. To be called before other threads start. Does nothing with another library.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(_MMAP_THRESHOLD, _MAPPED_BYTES)
        library.mallopt(_ARENA_MAX, _ARENAS)


def release_free_memory() -> None:
    """Give back what Arrow keeps of the threads that ended; to be called by the main thread, after a run."""
    arrow = sys.modules.get("pyarrow")  # a run with nothing new does without
    if arrow is not None:
        arrow.default_memory_pool().release_unused()
