"""PostgreSQL: tables of events and of their languages with covering indexes, and roll-ups by quarter-hours or hours.

Runs as a separate cluster in `folder`, on a socket, with its default durability. PostgreSQL refuses to run as root; if
this process is root, it runs as its own user, who must be able to enter every parent folder.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

from benchmarks.engines.engine import Logs, UnavailableError, parameters, statement, zoned_parameters
from benchmarks.questions import Kind, Question, Raw, Row

try:
    import psycopg
except ImportError:  # `make bench` installs it
    psycopg = None

_PACKAGED: Final = Path("/usr/lib/postgresql")
_POLL_SECONDS: Final = 0.02
_CHUNK_BYTES: Final = 1 << 20
_INSTANTS: Final = ("since", "until", "after_timestamp")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# A quarter of the memory is shared buffers, as PostgreSQL's manual recommends; so are the other settings.
_SETTINGS: Final = {
    "listen_addresses": "",
    "timezone": "UTC",
    "max_connections": "40",
    "effective_cache_size": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 2 >> 20}MB",
    "shared_buffers": f"{min(os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 4 >> 20, 4096)}MB",
    "maintenance_work_mem": "512MB",
    "work_mem": "64MB",
    "max_wal_size": "4GB",
    "random_page_cost": "1.1",
    "jit": "off",
}


class Postgres:
    """Tables of events and of their languages."""

    name: ClassVar = "postgres"
    kinds: ClassVar[Mapping[Kind, str]] = {"summary": "summary", "by_language": "by_language", "feed": "feed"}

    def __init__(self, root: Path) -> None:
        if psycopg is None:
            raise UnavailableError("psycopg is not installed; `make bench` installs it")
        self._programs = programs()
        self.folder = root / self.name
        self._socket = ""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the server."""
        if not self.folder.exists():
            self._create()
        # A short temporary folder, because the path of a socket may have only about a hundred characters.
        with tempfile.TemporaryDirectory() as self._socket, self._server():
            yield

    def load(self, logs: Logs) -> None:
        """Load the first logs, and create the indexes afterwards."""
        with self._connected() as connection:
            self._execute(connection, "tables")
            _copy(connection, logs.clean)
            for name in ("versions", "fresh", "uses", "insert_events", "insert_languages", "clear", "indexes"):
                self._execute(connection, name)
            connection.execute("vacuum analyze")

    def append(self, log: Path) -> None:
        """Append one log in one transaction."""
        with self._connected() as connection, connection.transaction():
            _copy(connection, [log])
            for name in ("versions", "fresh", "uses", "delete_languages", "delete_events"):
                self._execute(connection, name)
            for name in ("insert_events", "insert_languages"):
                self._execute(connection, name)
            self._roll_up(connection)
            self._execute(connection, "clear")

    @contextmanager
    def reader(self) -> Iterator["_Reader"]:
        """Connect."""
        with self._connected() as connection:
            yield _Reader(connection, self.kinds)

    def bytes_on_disk(self) -> int:
        """Return the size of tables and indexes, without the write-ahead log."""
        with self._connected() as connection:
            return sum(int(size) for (size,) in connection.execute(statement("postgres", "sizes")).fetchall())

    def roll_up_zone(self, zone: str) -> int:
        """Roll up by the local days of one zone, and drop the result; return its bytes."""
        with self._connected() as connection:
            self._execute(connection, "zone_rollup", zone=zone)
            rows = connection.execute("select pg_total_relation_size('zone_rollup')").fetchall()
            connection.execute("drop table zone_rollup")
        return int(rows[0][0])

    def _roll_up(self, connection: Any) -> None:
        """Update the roll-up of the days with new versions; these tables have none."""

    def _execute(self, connection: Any, name: str, **values: Any) -> None:
        connection.execute(statement("postgres", name), values or None)

    def _connected(self) -> Any:
        return psycopg.connect(host=self._socket, dbname="postgres", user="postgres", autocommit=True)

    def _create(self) -> None:
        self.folder.mkdir(parents=True)
        _give_away(self.folder)
        command = [str(self._programs / "initdb"), "-D", str(self.folder), "-U", "postgres", "--encoding", "UTF8"]
        command += ["--locale", "C", "--auth", "trust", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **_run_as())  # noqa: S603 - a tool

    @contextmanager
    def _server(self) -> Iterator[None]:
        _give_away(Path(self._socket))
        command = [str(self._programs / "postgres"), "-D", str(self.folder), "-k", self._socket]
        command += [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **_run_as())  # noqa: S603 - a tool
            try:
                while not self._answers():
                    if process.poll() is not None:
                        log.seek(0)
                        raise RuntimeError(f"postgres ended:\n{log.read().decode()}")
                    time.sleep(_POLL_SECONDS)
                yield
            finally:
                process.send_signal(signal.SIGINT)  # a fast shutdown, with a checkpoint
                process.wait()

    def _answers(self) -> bool:
        try:
            self._connected().close()
        except psycopg.OperationalError:
            return False
        return True


class PostgresQuarters(Postgres):
    """The tables and a roll-up of them by quarter-hours, updated with every load: this project's idea in PostgreSQL."""

    name = "postgres-quarters"
    step: ClassVar = timedelta(minutes=15)
    kinds: ClassVar[Mapping[Kind, str]] = {
        "summary": "rollup_summary",
        "by_language": "rollup_by_language",
        "feed": "feed",
    }

    def load(self, logs: Logs) -> None:  # noqa: ARG002 - its copy of the tables has them
        """Roll up the events that were loaded."""
        with self._connected() as connection:
            for name in ("rollup_table", "touched_all"):
                self._execute(connection, name)
            self._execute(connection, "rollup", step=self.step)
            self._execute(connection, "rollup_indexes")
            connection.execute("vacuum analyze rollup")

    def _roll_up(self, connection: Any) -> None:
        for name in ("touched", "rollup_delete"):
            self._execute(connection, name)
        self._execute(connection, "rollup", step=self.step)


class PostgresHours(PostgresQuarters):
    """The tables and a roll-up of them by hours, as is usual."""

    name = "postgres-hours"
    step = timedelta(hours=1)


class _Reader:
    def __init__(self, connection: Any, kinds: Mapping[Kind, str]) -> None:
        self._connection, self._kinds = connection, kinds

    def ask(self, question: Question) -> Raw:
        return self._rows(self._kinds[question.kind], parameters(question))

    def local_days(self, question: Question) -> Sequence[Row] | None:
        try:
            return self._rows("local_days", zoned_parameters(question))
        except psycopg.errors.InvalidParameterValue:
            return None

    def _rows(self, name: str, values: Mapping[str, Any]) -> Sequence[Row]:
        instants: dict[str, Any] = {key: _instant(values[key]) for key in _INSTANTS if key in values}
        if "starts" in values:
            instants["starts"] = [_instant(start) for start in values["starts"]]
        rows: Sequence[Row] = self._connection.execute(
            statement("postgres", name), {**values, **instants}, prepare=True
        ).fetchall()
        return rows


def _copy(connection: Any, logs: Sequence[Path]) -> None:
    """Copy the lines of logs into the staging table."""
    with connection.cursor() as cursor, cursor.copy(statement("postgres", "copy")) as copy:
        for log in logs:
            with log.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    copy.write(chunk)


def _instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def programs() -> Path:
    """Return the folder of the newest server's programs; Debian has one folder for each release.

    Raises:
        UnavailableError: PostgreSQL is not installed.
    """
    found = shutil.which("postgres")
    if found:
        return Path(found).resolve().parent
    packaged = sorted(_PACKAGED.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not packaged:
        raise UnavailableError("no `postgres` on the PATH nor in /usr/lib/postgresql; Debian: apt install postgresql")
    return packaged[-1].parent


def _run_as() -> dict[str, Any]:
    """Return the arguments of `subprocess` that make PostgreSQL's programs run as another user if this is root."""
    if os.geteuid():
        return {}
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        entry = pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _give_away(folder: Path) -> None:
    """Give a folder to the user that PostgreSQL runs as."""
    if user := _run_as():
        os.chown(folder, user["user"], user["group"])
