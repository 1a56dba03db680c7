"""However little memory a command may have, it succeeds or ends cleanly, and the next run is whole.

A few amounts here; `python -m tests.faults.memory` has finer steps, and all commands.
"""

from pathlib import Path
from typing import Final

import pytest

from tests.faults.host import Host
from tests.faults.memory import MOST_KIB, attempt
from tests.faults.scenarios import Stage

COMMANDS: Final = ("second batch", "forget a workspace", "check")  # reads lines, stored rows, or everything
AMOUNTS_KIB: Final = (MOST_KIB, *(mib << 10 for mib in (160, 14, 0)))


@pytest.mark.parametrize("name", COMMANDS)
def test_little_memory(host: Host, tmp_path: Path, name: str) -> None:
    """A command with little memory exits with 1 and one line, changes nothing by half, and does not hang."""
    stage, seen = Stage(name, host, tmp_path), set[bytes]()
    codes = []
    for kib in AMOUNTS_KIB:
        code, problems = attempt(stage, kib, seen)
        assert not problems, f"with {kib} KiB: {problems}"
        codes.append(code)
    assert codes[0] == 0
    assert codes[-1] != 0


def test_a_planted_fault_is_found(host: Host, tmp_path: Path) -> None:
    """A command that does not explain its errors is found."""
    stage = Stage("second batch", host, tmp_path)
    assert any(attempt(stage, kib, set(), "say_nothing")[1] for kib in AMOUNTS_KIB)
