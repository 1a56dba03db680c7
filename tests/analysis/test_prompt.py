"""The prompt of `usage sql`, on a pseudo-terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.data_folder import NOW, DataFolder, record
from tests.support.process import wait_until
from tests.support.project import ROOT

TIMEOUT_S = 60


class Terminal:
    """A pseudo-terminal that runs `usage sql`."""

    def __init__(self, folder: DataFolder, state: Path) -> None:
        controller, terminal = pty.openpty()
        self._controller, self._seen = controller, ""
        code = "from service.commands import main; main()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "sql", "--data-dir", str(folder.root), "--now", NOW],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
            env=os.environ
            | {
                "PYTHONPATH": str(ROOT),
                "XDG_STATE_HOME": str(state),
                "TERM": "xterm",
                "PROMPT_TOOLKIT_NO_CPR": "1",
                "COLUMNS": "100",
            },
        )
        os.close(terminal)

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self._controller, text.encode())

    def see(self, pattern: str) -> str:
        """Wait until the output matches a pattern, and return the match."""
        deadline = time.monotonic() + TIMEOUT_S
        while not (match := re.search(pattern, self._seen)):
            assert time.monotonic() < deadline, self._seen
            if select.select([self._controller], [], [], 1)[0]:
                self._seen += os.read(self._controller, 65536).decode(errors="replace")
        self._seen = self._seen[match.end() :]
        return match[0]

    def end(self) -> int:
        """Wait until the process ends."""
        while self.process.poll() is None:
            if select.select([self._controller], [], [], 0.1)[0]:
                try:
                    os.read(self._controller, 65536)
                except OSError:  # the process closed its side
                    break
        return self.process.wait(TIMEOUT_S)

    def close(self) -> None:
        """Kill the process if it still runs, and close the terminal."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._controller)


@contextmanager
def terminal(folder: DataFolder, state: Path) -> Iterator[Terminal]:
    """Open a terminal, and close it at the end."""
    opened = Terminal(folder, state)
    try:
        yield opened
    finally:
        opened.close()


def test_prompt(folder: DataFolder, tmp_path: Path) -> None:
    """Statements of several lines, commands, errors, Ctrl-C and `.quit` work; only the user can read the history."""
    folder.drop("a.jsonl", [record(usage={"credits": 12345})])
    folder.run()
    with terminal(folder, tmp_path / "state") as screen:
        screen.see("usage>")
        screen.type("select sum(credits)\r")
        screen.see(r"\.\.\.")
        screen.type("from cube;\r")
        screen.see("12345")
        screen.see("usage>")
        screen.type(".tables\r")
        screen.see("workspace, zone, days")
        screen.see("usage>")
        screen.type(".schema cube\r")
        screen.see("quarter +TIMESTAMP")
        screen.see("usage>")
        screen.type("drop view events;\r")
        screen.see("only SELECT")
        screen.see("usage>")
        screen.type("from nowhere;\r")
        screen.see("nowhere does not exist")
        screen.see("usage>")
        screen.type("select count(*) from range(10000000) a, range(10000000) b where (a.range * b.range) % 7 = 3;\r")
        busy = Path(f"/proc/{screen.process.pid}/stat")
        start = _ticks(busy)
        wait_until(screen.process, lambda: _ticks(busy) >= start + os.sysconf("SC_CLK_TCK"))
        screen.process.send_signal(signal.SIGINT)
        screen.see("stopped")
        screen.see("usage>")
        screen.type(".quit\r")
        assert screen.end() == 0
    history = tmp_path / "state" / "workspace-usage" / "sql-history"
    assert history.stat().st_mode & 0o777 == 0o600
    assert "from cube;" in history.read_text()


def test_end_of_input_leaves(folder: DataFolder, tmp_path: Path) -> None:
    """Ctrl-D ends the prompt with exit code 0."""
    with terminal(folder, tmp_path / "state") as screen:
        screen.see("usage>")
        screen.type("\x04")
        assert screen.end() == 0


def _ticks(stat: Path) -> int:
    return int(stat.read_text().rpartition(")")[2].split()[11])
