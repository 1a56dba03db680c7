"""The whole project in one command: `python -m service.demo DIR`, which is what `make demo` runs.

Writes sample logs into DIR, loads them with `usage run`, starts `usage serve` on a free loopback port, requests the
three usage endpoints through the published client and shows the answers. Both commands run as real processes, and
neither outlives the demo.

    DemoError  the demo cannot go on; the message says why
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import httpx
from onepin import OnePinClient
from onepin.core.api_error import ApiError
from rich.console import Console

from pipeline.contract.settings import Settings
from pipeline.sample.cast import Plan
from pipeline.sample.generate import Sample, write
from pipeline.validation.native import UNAVAILABLE
from service.api.routes import PAGE
from service.demo.views import show_activity, show_feed, show_languages, show_totals

MARKER: Final = ".demo"
KEY_FILE: Final = "demo-key.txt"
SERVICE_LOG: Final = "serve.log"

_MAKE_FOLDER: Final = Path("data/demo")
_FEED_EVENTS: Final = 10
_START_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.05
_STOP_SECONDS: Final = 10


class DemoError(Exception):
    """Raised when the demo cannot go on."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Write sample logs, load and serve them, request the three usage endpoints and show the answers."""
    parser = argparse.ArgumentParser(prog="python -m service.demo", description=main.__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="an empty folder, or the folder of an earlier demo")
    parser.add_argument("--events", type=int, default=20_000, help="number of events to generate (default: 20000)")
    parser.add_argument(
        "--timezone", default="Asia/Kathmandu", help="time zone whose days are counted (default: %(default)s)"
    )
    given = parser.parse_args(arguments)
    if given.events < 1:
        parser.error("--events: at least 1")
    # SIGTERM ends the `with` blocks too, which stop both commands.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _show(given.folder, given.events, given.timezone)
    except DemoError as error:
        sys.exit(f"error: {error}")  # with code 1


def _show(folder: Path, events: int, timezone: str) -> None:
    console = Console(highlight=False)
    _clear(folder)
    sample = write(folder, Plan(now=time.time_ns() // 1000, events=events))
    _keep(folder / KEY_FILE, sample.key)
    console.rule("usage sample", align="left")
    console.print(f"{sample.lines:,} lines of {sample.events:,} events in {sample.files:,} files")
    console.rule("usage run", align="left")
    _load(folder)
    if UNAVAILABLE:
        console.print(
            "The lines were validated in Python, which takes a little longer: the validator in C is not compiled."
            " Where there is a C compiler, `make clean demo` compiles it."
        )
    with served(folder) as url:
        _ask(console, url, sample, timezone)
    _show_next_steps(console, folder, sample, timezone)


def _clear(folder: Path) -> None:
    """Empty the folder of an earlier demo, but no other folder."""
    if folder.exists() and not folder.is_dir():
        raise DemoError(f"{folder} is not a folder")
    folder.mkdir(parents=True, exist_ok=True)
    entries = [entry for entry in folder.iterdir() if entry.name != MARKER]
    if entries and not (folder / MARKER).exists():
        raise DemoError(f"{folder} is not empty and not the folder of an earlier demo: choose another one")
    (folder / MARKER).touch()
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _keep(path: Path, key: str) -> None:
    path.touch(0o600)
    path.write_text(f"{key}\n", "ascii")


def _load(folder: Path) -> None:
    sys.stdout.flush()
    with _started(["run"], folder) as process:
        code = process.wait()
    if code:
        raise DemoError(f"usage run exited with {code}")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Run the service while the block lasts, and yield its URL once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    log = folder / SERVICE_LOG
    with (
        log.open("wb") as output,
        _started(["serve", "--host", "127.0.0.1", "--port", str(port)], folder, output) as process,
    ):
        _await_ready(process, url, log)
        try:
            yield url
        except (httpx.HTTPError, ApiError) as error:
            raise DemoError(f"usage serve did not answer as expected: {error}\n{_text(log)}") from None


def _await_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    # Proxies set in the environment are not meant for the loopback interface.
    with httpx.Client(trust_env=False) as client:
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                if client.get(f"{url}/health/ready").is_success:
                    return
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(_POLL_SECONDS)
                raise DemoError(f"usage serve exited with {code}:\n{_text(log)}")
    raise DemoError(f"usage serve was not ready after {_START_SECONDS} s:\n{_text(log)}")


def _text(log: Path) -> str:
    return log.read_text("utf-8", "replace")


@contextmanager
def _started(arguments: list[str], folder: Path, output: IO[bytes] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command of `usage` on the folder; it is stopped when the block ends, however that happens."""
    process = subprocess.Popen(  # noqa: S603 - a command of this project, without a shell
        [_program("usage"), *arguments],
        env={**os.environ, "USAGE_DATA_DIR": str(folder)},
        stdout=output,
        stderr=output,
        start_new_session=True,  # Ctrl-C reaches only the demo, which then stops the command in order
    )
    try:
        yield process
    finally:
        try:
            process.send_signal(signal.SIGINT)  # by SIGTERM, the service would wait a second for other clients
            process.wait(_STOP_SECONDS)
        finally:  # even if a second Ctrl-C interrupts the waiting
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _ask(console: Console, url: str, sample: Sample, timezone: str) -> None:
    with httpx.Client(trust_env=False, timeout=30) as transport:
        client = OnePinClient(base_url=url, token=sample.key, httpx_client=transport)
        summary = client.usage.usage_summary(range="30d", activity_view="weekly", timezone=timezone)
        languages = client.usage.usage_by_language(range="30d", timezone=timezone)
        feed = client.usage.usage_activity(range="30d", limit=_FEED_EVENTS, timezone=timezone)
    console.rule(f"onepin usage, workspace {sample.workspace_id}, {timezone}", align="left")
    show_totals(console, summary.data)
    console.print()
    show_activity(console, summary.data)
    console.print()
    show_languages(console, languages.data)
    console.print()
    show_feed(console, feed.data)


def _show_next_steps(console: Console, folder: Path, sample: Sample, timezone: str) -> None:
    settings = Settings.read(os.environ)
    url = f"http://{settings.host}:{settings.port}"
    key = f"$(cat {folder / KEY_FILE})"
    serve = "make serve" if folder == _MAKE_FOLDER else f"USAGE_DATA_DIR={folder} {_program('usage')} serve"
    summary = f"'{url}/api/v1/usage/summary?timezone={timezone}'"
    console.rule("next steps", align="left")
    for what, text in (
        ("serve", serve),  # first, because the others ask what it serves
        *((("page", f"{url}{PAGE} (asks for the key)"),) if settings.page else ()),
        ("key", f"{sample.key} (kept in {folder / KEY_FILE})"),
        ("URL", url),
        ("OpenAPI", f"{url}/schema"),
        ("curl", f'curl -H "Authorization: Bearer {key}" {summary}'),
        ("CLI", f'{_program("onepin")} login --key "{key}" --base-url {url}'),
        ("", f"{_program('onepin')} usage by-language --timezone {timezone}"),
    ):
        console.print(f"{what:9}{text}", markup=False, soft_wrap=True)


def _program(name: str) -> str:
    """Return the path of a command installed beside this Python, relative to the current folder if it is inside."""
    path = Path(sys.executable).with_name(name)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    main()
