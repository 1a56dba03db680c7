"""`python -m service.demo`, end to end: real processes, the published client, nothing left behind."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.contract.directory import sha256_hex
from service.demo import __main__ as module

PROC = Path("/proc")


def demo(folder: Path) -> list[str]:
    """Return the command line of a small demo."""
    return [
        sys.executable,
        "-m",
        "service.demo.__main__",
        str(folder),
        "--events",
        "1500",
        "--timezone",
        "Asia/Kathmandu",
    ]


def run_demo(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a small demo to its end."""
    # A proxy that does not exist: requests to the loopback interface must not go through it.
    env = {**os.environ, "HTTP_PROXY": "http://127.0.0.1:9", "COLUMNS": "100", "USAGE_PORT": "8123"}
    return subprocess.run(demo(folder), capture_output=True, text=True, timeout=120, check=False, env=env)


def processes_of(folder: Path) -> list[str]:
    """Return the processes that work on a data folder."""
    variable = f"USAGE_DATA_DIR={folder}".encode()
    found = []
    for process in PROC.glob("[0-9]*"):
        try:
            if variable in (process / "environ").read_bytes().split(b"\0"):
                found.append(process.name)
        except OSError:  # it ended meanwhile, or belongs to another user
            continue
    return found


def stop_demo(folder: Path, how: signal.Signals, moment: str) -> None:
    """Run a small demo, and end it by a signal while it loads or while it serves; no process may be left."""
    log = folder / "serve.log"
    with subprocess.Popen(demo(folder), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        if moment == "run":
            next(line for line in process.stderr if "reading" in line)
        while moment == "serve" and process.poll() is None and not (log.exists() and log.stat().st_size):
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        process.send_signal(how)
        process.stderr.read()
        code = process.wait(30)
    assert code != 0 or moment == "serve"  # the demo may have ended before the signal
    if PROC.is_dir():
        assert not processes_of(folder)


def test_it_shows_the_three_answers_and_the_next_steps(tmp_path: Path) -> None:
    """In the folder of an earlier demo, which was ended while it served, a demo leaves a new key but no process."""
    folder = tmp_path / "demo"
    stop_demo(folder, signal.SIGTERM, "serve")
    earlier = (folder / "demo-key.txt").read_text("ascii").strip()
    result = run_demo(folder)
    assert result.returncode == 0, result.stderr
    out = result.stdout
    for heading in ("Totals of ", "Credits, last 12 weeks", "Languages", "Newest events"):
        assert heading in out
    assert "1,500 accepted" in out
    assert "Week 12" in out
    assert "█" in out
    assert "English (United States)" in out
    assert "Traceback" not in out + result.stderr

    key = (folder / "demo-key.txt").read_text("ascii").strip()
    assert key != earlier
    assert sha256_hex(key) in (folder / "directory/api_keys.jsonl").read_text()
    assert key in out
    for line in ("http://127.0.0.1:8123/schema", f"USAGE_DATA_DIR={folder}", "onepin login --key ", "curl -H "):
        assert line in out
    serve, page = out[out.index("next steps") :].splitlines()[1:3]
    assert serve.startswith("serve ")
    assert page.split()[:2] == ["page", "http://127.0.0.1:8123/usage/"]
    if PROC.is_dir():
        assert not processes_of(folder)


def test_it_spares_folders_of_others(tmp_path: Path) -> None:
    """A folder that is neither empty nor an earlier demo's stays unchanged."""
    (tmp_path / "thesis.txt").write_text("years of work")
    result = run_demo(tmp_path)
    assert result.returncode == 1
    assert "is not empty" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.skipif(not PROC.is_dir(), reason="needs /proc to find what is left")
def test_stopping_it_leaves_no_process(tmp_path: Path) -> None:
    """SIGINT also ends the demo's commands while it loads; the test of the answers sends SIGTERM while it serves."""
    stop_demo(tmp_path / "demo", signal.SIGINT, "run")


def test_a_service_that_cannot_start_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the service does not start, the message includes its log."""
    monkeypatch.setattr(module, "_program", lambda _: "false")
    with pytest.raises(module.DemoError, match="usage serve exited with 1"), module.served(tmp_path):
        pytest.fail("nothing is served")
