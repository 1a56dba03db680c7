"""`usage` that kills itself: the n-th of the operations that change something is its last, or is not done any more.

    python victim.py N before|after|halt OPERATION|any [forget|retention] ARGUMENTS…

Without a command it is `usage run`. Or it halts before that operation, until it is told to go on.

The operations are those of the store and the state, or only those of one name, counted in the main process; past the
last one it just ends.
"""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

from pipeline import keys
from pipeline.commands.app import app
from pipeline.erasure import erase, stage
from pipeline.load import stages
from pipeline.storage.state import State
from pipeline.storage.store import Store


def main() -> None:
    """Patch from outside, then run the command."""
    last, when, wanted = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    numbers = count(1)

    def deadly(owner: Any, name: str) -> None:
        if wanted not in {"any", name}:
            return
        original: Callable[..., Any] = getattr(owner, name)

        def dying(*arguments: Any, **named: Any) -> Any:
            number = next(numbers)
            if number == last and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            if number == last and when == "halt":
                os.kill(os.getpid(), signal.SIGSTOP)
            result = original(*arguments, **named)
            if number == last and when == "after":
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        setattr(owner, name, dying)

    for name in ("sync", "make_folders", "apply", "stage", "clear"):
        deadly(Store, name)
    for name in ("begin", "end", "forget", "settle", "carry_out"):
        deadly(State, name)
    for name in ("_read", "merge", "roll_up"):
        deadly(stages, name)
    deadly(stage, "erase_rejects")
    deadly(erase, "append")
    deadly(keys, "write_rows")
    arguments = sys.argv[4:]
    app(arguments if arguments[0] in {"forget", "retention"} else ["run", *arguments])


if __name__ == "__main__":
    main()
