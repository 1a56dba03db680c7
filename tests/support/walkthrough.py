"""A page that is carried out as a reader would: its commands in an empty folder, one after the other, in one shell.

Blocks of a page that are executed:

    console   commands for the shell; `usage serve &` goes on, and the next command waits until it answers
    python    a program, in the folder that the commands have reached
    text      what the block before it prints: each of its lines, in this order, `…` for anything

Other blocks are read only.
"""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from tests.support.process import BIN
from tests.support.project import ROOT

PORT: Final = "8080"  # that of the pages
SECONDS: Final = 120
_BLOCK: Final = re.compile(r"(?ms)^```(console|python|text)\n(.*?)^```$")
_SERVE: Final = re.compile(r"(?m)^(usage serve.*) &$")
_AWAIT: Final = """
_await() {
  until curl --silent --fail --output /dev/null "http://127.0.0.1:$USAGE_PORT/health/live"; do
    kill -0 $! || return
    sleep 0.05
  done
}
trap 'kill $(jobs -p) 2> /dev/null; wait' EXIT
"""


class Step(NamedTuple):
    """A block that is executed, and the lines that it is to print."""

    kind: str
    text: str
    printed: list[str]


def steps(page: str) -> list[Step]:
    """Return the blocks of a page that are executed."""
    found: list[Step] = []
    for kind, text in _BLOCK.findall(page):
        if kind == "text":
            found[-1].printed.extend(text.splitlines())
        else:
            found.append(Step(kind, text, []))
    return found


def carry_out(found: list[Step], folder: Path) -> list[str]:
    """Execute blocks in an empty folder; return what each printed, on both streams."""
    programs, home, work = folder / "bin", folder / "home", folder / "work"
    for path in (programs, home, work):
        path.mkdir()
    call = "from service.commands import main; main()"
    (programs / "usage").write_text(f"#!/bin/sh\nexec '{sys.executable}' -P -c '{call}' \"$@\"\n")
    (programs / "usage").chmod(0o755)
    port = _free_port()
    known = {name: value for name, value in os.environ.items() if not name.startswith(("USAGE_", "ONEPIN_"))}
    environment = {
        **known,
        "PATH": f"{programs}:{BIN}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "USAGE_PORT": port,
        "COLUMNS": "160",
        "NO_PROXY": "*",
    }
    mark = "@@ next block @@"
    script = _AWAIT + "".join(f"{_script(one)}\necho '{mark}'\n" for one in found)
    ended = subprocess.run(
        ["bash", "-s"],
        cwd=work,
        env=environment,
        input=script.replace(f":{PORT}", f":{port}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    return ended.stdout.replace(f":{port}", f":{PORT}").split(f"{mark}\n")[:-1]


def _script(step: Step) -> str:
    if step.kind == "python":
        return f"python - <<'END_OF_PROGRAM'\n{step.text}END_OF_PROGRAM"
    return _SERVE.sub(r"\1 > serve.log 2>&1 &\n_await", step.text)


def missing(step: Step, output: str) -> list[str]:
    """Return the lines that a block should have printed and did not, in their order."""
    lines = iter(output.splitlines())
    for number, wanted in enumerate(step.printed):
        pattern = ".*".join(map(re.escape, wanted.rstrip().split("…")))
        if not any(re.fullmatch(pattern, line.rstrip()) for line in lines):
            return step.printed[number:]
    return []


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
