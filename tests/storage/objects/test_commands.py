"""What commands say and how they exit on an object store."""

import json
from collections.abc import Callable

import pytest

from pipeline.contract.object_client import Client
from pipeline.contract.object_names import LEASE
from pipeline.contract.tables import Published
from pipeline.storage.objects.commit import RootChanges, commit
from pipeline.storage.objects.snapshot import Snapshot
from pipeline.storage.objects.writer import ObjectWriter, opened
from tests.support.command import done
from tests.support.data_folder import NOW, USER, WORKSPACE, record
from tests.support.object_commands import put, usage

LINE = json.dumps(record()).encode() + b"\n"
MEMBER = {"workspace_id": WORKSPACE, "user_id": USER, "name": "Ada", "role": "admin", "status": "active"}
CREATE = ("keys", "create", "--workspace", WORKSPACE, "--user", USER)


def _commit_first(client: Client) -> None:
    commit(Snapshot.read(client), RootChanges(run="OTHER", attempt="a", published=Published(1, "OTHER", 7, 1, "z")))


def _take_over(client: Client) -> None:
    put(client, LEASE, json.dumps({"owner": "other", "epoch": 9, "until": 0.0}).encode())


@pytest.mark.parametrize(
    ("meanwhile", "said"),
    [(_commit_first, "another run on {} committed first"), (_take_over, "another run has taken over {}")],
)
@pytest.mark.parametrize("command", [("run", "--now", NOW), ("forget", "--user", USER, "--apply")])
def test_another_run_was_first(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    meanwhile: Callable[[Client], None],
    said: str,
) -> None:
    """If another run commits first or takes the lease, a command changes nothing and exits 75."""
    put(client, "raw/a.jsonl", LINE)
    prepare = ObjectWriter._put  # noqa: SLF001 - the last request before the commit

    def putting(writer: ObjectWriter, *arguments: object) -> object:
        meanwhile(client)
        writer._lease.renew()  # noqa: SLF001 - as its thread does every ten seconds
        return prepare(writer, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(ObjectWriter, "_put", putting)
    result = usage(client, *command)
    done(result, 75)
    assert result.stdout == ""
    assert result.stderr.endswith(f"{said.format(client.location.url)}; try again when it is done\n")
    root = Snapshot.read(client).root
    assert root is None or root.run == "OTHER"


def test_a_run_at_work(client: Client) -> None:
    """A second run exits 75 at once, and says how long a run that was killed holds the lease."""
    with opened(client):
        result = usage(client, "run")
    done(result, 75)
    where = client.location.url
    assert result.stderr.startswith(f"another run is at work on {where}; if it was killed, its lease ends in ")


def test_keys(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two commands that change the local keys at once, one exits 75; a broken file is named as the object it is."""
    put(client, "directory/members.jsonl", json.dumps(MEMBER).encode())
    done(usage(client, *CREATE))

    def new_secret() -> str:
        put(client, "directory/api_keys.local.jsonl", b"\n")
        return "x"

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.keys.new_secret", new_secret)
        result = usage(client, *CREATE)
    done(result, 75)
    assert "api_keys.local.jsonl was changed by somebody else; nothing was stored; try again" in result.stderr
    put(client, "directory/api_keys.local.jsonl", b"no key")
    where = f"{client.location.url}/directory/"
    result = usage(client, *CREATE)
    done(result, 2)
    assert f"{where}api_keys.local.jsonl, line 1: " in result.stderr
    said = usage(client, "status").output.splitlines()
    problems = [line for line in said if "directory/" in line]
    assert len(problems) == 3
    assert all(where in line for line in problems), problems
