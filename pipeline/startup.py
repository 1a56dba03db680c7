"""How the processes of a command start, and those that they fork: without what takes long and nothing here needs.

Reads nothing; changes what the interpreter does from then on, which is why no module calls it when it is imported.
"""

import gc
import os
import sys
from importlib.abc import MetaPathFinder
from typing import Final

# So many new objects between two looks for garbage, not 700: nearly all that a command makes stays, most of it made at
# the start. `serve`, whose answers leave more behind, looks as often as usual.
_GARBAGE_AFTER: Final = 50_000


def start_lean() -> None:
    """Prepare this process, and those that it starts as far as the environment does that."""
    # Its other threads, for which numpy has no work here, would keep a core busy at the start of every process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(_GARBAGE_AFTER)
    sys.meta_path.insert(0, _NoPandas())


class _NoPandas(MetaPathFinder):
    """Hides pandas from pyarrow, which imports it where it is installed to tell its series from other columns.

    That takes 0.15 s, a quarter of a small run, and 30 MiB.
    """

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("not for the commands", name=fullname)
