"""`usage sql` on an object store: the answers of a folder, from one root, and only the files that it needs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.analysis import database, object_source
from pipeline.analysis.object_source import ObjectSource
from pipeline.analysis.session import Session, open_session
from pipeline.analysis.source import QueryError, open_source
from pipeline.analysis.statements import StatementError
from pipeline.contract.location import Location
from pipeline.contract.object_client import Client
from pipeline.contract.object_names import object_key
from pipeline.storage.objects.snapshot import Snapshot
from pipeline.storage.objects.store import ObjectStore
from pipeline.storage.opened import open_storage, open_store
from tests.support.asking import open_folder, rows
from tests.support.both import Both
from tests.support.data_folder import NOW, USER, WORKSPACE, DataFolder, record
from tests.support.invoked import invoke
from tests.support.object_servers import BUCKET, ENVIRONMENT

OTHER = "0b5e1c3a-0000-4000-8000-000000000001"
MEMBERS = [
    {"workspace_id": place, "user_id": USER, "name": "Ada", "role": "admin", "status": "active"}
    for place in (WORKSPACE, OTHER)
]
ACCOUNTS = [{"user_id": USER, "quota": 100, "period_anchor": "2026-01-31T09:00:00Z"}]
QUESTIONS = [
    *(f"from {view} order by all" for view in database.VIEWS if view not in {"calendar", "runs"}),
    "select * exclude (run, seconds) from runs order by all",
    "select count(*) from calendar",
    *(f"from workspace_{table}('{OTHER}') order by all" for table in ("cube", "actors", "events", "event_languages")),
    "select count(*) from read_parquet(data_folder() || '/events/*/*/*.parquet')",
    "from local_days('Asia/Kathmandu', 3)",
    "select local_today('Asia/Kathmandu'), instant()",
    f"from usage_daily('{WORKSPACE}', 'Asia/Kathmandu', 60)",
    f"from usage_buckets('{WORKSPACE}', 'America/New_York', 'monthly')",
    f"from usage_by_language('{WORKSPACE}', 'UTC', date '2026-10-01', date '2026-11-30')",
    f"from usage_activity('{WORKSPACE}', 'UTC', 60)",
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, endpoint: str) -> Both:
    """Return a folder and an object store with two workspaces, two months, bad lines and a directory."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        client = Client(Location(BUCKET, "data/sql", endpoint))
        folder = DataFolder(tmp_path_factory.mktemp("sql"))
        (folder.root / "raw").mkdir()
        both = Both(folder, client)
        both.drop("a.jsonl", _records(1), bad=2)
        both.run()
        both.drop("b.jsonl", _records(2), bad=1)
        both.run()
        (folder.root / "directory").mkdir()
        for name, members in (("members", MEMBERS), ("accounts", ACCOUNTS), ("api_keys", [{"id": "secret"}])):
            content = "".join(f"{json.dumps(member)}\n" for member in members).encode()
            (folder.root / "directory" / f"{name}.jsonl").write_bytes(content)
            client.replace(f"directory/{name}.jsonl", content, None)
    return both


@pytest.fixture
def fresh(folder: DataFolder, client: Client) -> Both:
    """Return a folder and an object store with one event, which may be changed."""
    both = Both(folder, client)
    both.drop("a.jsonl", [record(usage={"credits": 5})])
    both.run()
    return both


def _records(number: int) -> list[dict[str, Any]]:
    days = ("2026-10-31T23:30:00Z", "2026-11-02T05:00:00Z", "2026-11-23T12:00:00Z")
    return [
        record(
            f"{number}-{place}-{moment}",
            workspace_id=workspace_id,
            timestamp=moment,
            user={"id": USER, "name": "Ada"},
            usage={"credits": 7 * number + place, "languages": [{"locale": "de", "characters": 5}]},
        )
        for place, workspace_id in enumerate((WORKSPACE, OTHER))
        for moment in days
    ]


@pytest.fixture
def session(both: Both) -> Iterator[Session]:
    """Return a session over the objects."""
    with open_source(both.settings[1]) as source, open_session(source, both.now) as session:
        yield session


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the keys that are fetched from now on."""
    keys: list[str] = []
    stream = Client.stream

    def noted(client: Client, key: str, **others: Any) -> Iterator[bytes]:
        keys.append(key)
        return stream(client, key, **others)

    monkeypatch.setattr(Client, "stream", noted)
    return keys


def test_answers(both: Both, session: Session, fetched: list[str]) -> None:
    """Every view and macro answers as on a folder; one of a single workspace fetches the files of that one alone."""
    with open_folder(both.folder.root, both.now) as of_folder:
        rows(session, f"from usage_daily('{WORKSPACE}', 'UTC', 90)")
        assert len(fetched) == 2  # months
        assert all(key.startswith(f"cube/workspace_id={WORKSPACE}/") for key in fetched)
        rows(session, f"select sum(credits) from events where day = '2026-11-02' and workspace_id = '{OTHER}'")
        assert len(fetched) <= 2 + 1 + 1  # to know the columns, DuckDB opens the first file of all
        for question in QUESTIONS:
            assert rows(session, question) == rows(of_folder, question), question
    assert len(fetched) == len(set(fetched))


def test_refusals(session: Session) -> None:
    """A statement reads nothing but the tables, members and accounts, and writes nothing."""
    for text in (
        "from read_text('usage://data/directory/api_keys.jsonl')",
        "from read_text('usage://data/events/../directory/api_keys.jsonl')",
        "from read_blob('usage://data/published.json')",
        "from glob('usage://data/*')",
        "from glob('usage://data/raw/*')",
        "from read_text('usage://data/events/../../../../etc/passwd')",
        "from read_text('/etc/passwd')",
        "copy (select 1) to 'usage://data/events/x.csv'",
        "with x as (copy (select 1) to 'usage://data/events/x.csv') from x",
    ):
        try:
            answer = rows(session, text)
        except (QueryError, StatementError) as error:
            assert "secret" not in str(error)
            assert "Traceback" not in str(error)
        else:
            assert (answer, "/../" in text) == ([], True)  # a path within a table, where no such file is
    assert len(rows(session, "from glob('usage://data/events/**')")) == 6
    assert len(rows(session, "from glob('usage://data/cube/*/month=2026-1[01]/*.parquet')")) == 4
    assert rows(session, "from glob('usage://data/events/workspace_id=x/*/*.parquet')") == []


def test_commits_and_damage(fresh: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each statement sees the root that is current when it begins, and begins again if its files were swept.

    An object that is not as it was written is an error that names it.
    """
    renew = object_source.ObjectFiles.renew
    calls: list[bool] = []

    def swept_afterwards(files: object_source.ObjectFiles) -> bool:
        calls.append(renew(files))
        if len(calls) == 1:
            fresh.drop("b.jsonl", [record("late", timestamp="2026-11-24T00:00:00Z", usage={"credits": 100})])
            fresh.run()
            with open_storage(fresh.settings[1]) as writer:
                writer.carry_out(writer.tombstones())  # which sweeps at once
        return calls[-1]

    with open_source(fresh.settings[1]) as source, open_session(source, fresh.now) as session:
        with monkeypatch.context() as patch:
            patch.setattr(object_source.ObjectFiles, "renew", swept_afterwards)
            assert rows(session, "select sum(credits)::int from cube") == [(105,)]
        assert calls[:2] == [False, True]
        path = f"events/workspace_id={WORKSPACE}/day=2026-11-24/events.parquet"
        file = Snapshot.read(fresh.client).file(path)
        assert file is not None
        found = fresh.client.head(object_key(path, file.name))
        assert found is not None
        fresh.client.replace(found.key, b"damaged", found.etag)
        with pytest.raises(QueryError) as failed:
            rows(session, "select sum(credits) from events")
        assert path in str(failed.value)
        assert str(failed.value).endswith("is damaged: its bytes are not those that were written")
        assert rows(session, "select sum(credits)::int from cube") == [(105,)]


def test_few_copies_are_kept(both: Both, tmp_path: Path) -> None:
    """Copies that were not used for long are removed; the answers are the same."""
    settings = msgspec.structs.replace(both.settings[1], scratch=tmp_path)
    with open_store(settings) as store:
        assert isinstance(store, ObjectStore)
        with open_session(ObjectSource(store, most=1), both.now) as session:
            assert rows(session, "select count(*) from events") == [(12,)]
            assert rows(session, "select count(*) from cube") != [(0,)]
        assert len(list(tmp_path.rglob("*.parquet"))) == 1
        path = f"events/workspace_id={WORKSPACE}/day=2026-11-02/events.parquet"
        other = path.replace(WORKSPACE, OTHER)
        files = object_source.ObjectFiles(store, most=store.size(path) + store.size(other))
        for uri in (path, other, path, path, other):  # both have room, however often they are opened
            files.open(uri).close()
        assert len(list(tmp_path.rglob("events/*/*/*.parquet"))) == 2
        files.open(path.replace("-02", "-23")).close()
        assert [found for found in (path, other) if list(tmp_path.rglob(found.rpartition("/")[0] + "/*"))] == [other]


def test_the_command(both: Both) -> None:
    """The command works on an address as on a folder, also where nothing is published yet."""
    where, environ = both.client.location, {"USAGE_S3_ENDPOINT": both.client.location.endpoint}
    arguments = ["sql", "select sum(credits)::int as credits from cube", "--format", "json", "--now", NOW]
    result = invoke([*arguments, "--data-dir", where.url], env=environ)
    assert (result.exit_code, json.loads(result.stdout)) == (0, [{"credits": 132}]), result.stderr
    nothing = invoke([*arguments, "--data-dir", f"{where.url}/nothing"], env=environ)
    assert (nothing.exit_code, json.loads(nothing.stdout)) == (0, [{"credits": None}]), nothing.stderr
