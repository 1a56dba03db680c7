"""The sample logs are reproducible, satisfy the contract, and never overwrite files from elsewhere."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from pipeline.contract.actions import ACTIONS
from pipeline.contract.calendar import DAY_US
from pipeline.contract.directory import ACCOUNTS, MEMBERS, PRODUCT_KEYS, sha256_hex
from pipeline.contract.formats import instant
from pipeline.sample import generate
from pipeline.sample.cast import Plan, invent
from pipeline.validation.records import Row
from pipeline.validation.validate import validate
from tests.support.data_folder import DataFolder
from tests.support.invoked import Result, invoke

NOW_TEXT = "2026-11-24T03:39:19.5Z"
NOW = instant(NOW_TEXT)
PLAN = Plan(now=NOW, events=6_000, workspaces=5, days=40, seed=3)


def content(path: Path) -> bytes:
    """Return the decompressed content of a raw file."""
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes())
    if path.suffix == ".zst":
        with pa.input_stream(str(path), compression="zstd") as stream:
            return bytes(stream.read())
    return path.read_bytes()


def raw_bytes(data_dir: Path) -> dict[str, bytes]:
    """Return the raw files, by name, as they are on disk."""
    return {path.name: path.read_bytes() for path in sorted((data_dir / "raw").iterdir())}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, generate.Sample]:
    """Return a data folder with sample logs."""
    folder = tmp_path_factory.mktemp("sample")
    return folder, generate.write(folder, PLAN)


@pytest.fixture(scope="module")
def lines(written: tuple[Path, generate.Sample]) -> list[bytes]:
    """Return all lines in file order."""
    return [line for path in sorted((written[0] / "raw").iterdir()) for line in content(path).splitlines()]


@pytest.fixture(scope="module")
def records(lines: list[bytes]) -> list[dict[str, Any]]:
    """Return the records of the valid lines, decoded by Python's own JSON module."""
    return [json.loads(line) for line in lines if is_valid(line)]


def is_valid(line: bytes) -> bool:
    """Return whether the pipeline accepts a line."""
    return isinstance(validate(line, NOW), Row)


def rows(data_dir: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a directory file."""
    yield from map(msgspec.json.decode, (data_dir / "directory" / name).read_bytes().splitlines())


def test_the_same_plan_gives_the_same_bytes(tmp_path: Path, written: tuple[Path, generate.Sample]) -> None:
    """Raw files, including compressed ones, are equal byte by byte; the API key differs."""
    second = generate.write(tmp_path, PLAN)
    assert raw_bytes(tmp_path) == raw_bytes(written[0])
    assert all(file[4:8] == bytes(4) for name, file in raw_bytes(tmp_path).items() if name.endswith(".gz")), (
        "a gzip header has a time"
    )
    assert second.key != written[1].key
    assert list(rows(tmp_path, MEMBERS)) == list(rows(written[0], MEMBERS))
    assert list(rows(tmp_path, ACCOUNTS)) == list(rows(written[0], ACCOUNTS))


def test_another_seed_gives_another_log(tmp_path: Path, written: tuple[Path, generate.Sample]) -> None:
    """With another seed, only the names of the files stay the same."""
    generate.write(tmp_path, msgspec.structs.replace(PLAN, seed=4))
    mine, theirs = raw_bytes(tmp_path), raw_bytes(written[0])
    assert mine.keys() == theirs.keys()
    assert all(mine[name] != theirs[name] for name in mine)


def test_only_the_broken_lines_are_rejected(written: tuple[Path, generate.Sample], lines: list[bytes]) -> None:
    """Every reason to reject a line occurs a few times, and the returned number of lines is right."""
    reasons = Counter(getattr(validate(line, NOW), "reason", "valid") for line in lines if line)
    assert reasons.keys() == {"valid", *(reason for reason, _ in generate.BREAKS)} - {"blank"}
    assert 10 <= len(lines) - reasons["valid"] <= 20
    assert written[1].lines == len(lines)


def test_exact_number_of_events(written: tuple[Path, generate.Sample], records: list[dict[str, Any]]) -> None:
    """There are as many ids as events; versions and re-deliveries repeat an id on the same UTC day."""
    days = {(record["id"], instant(record["timestamp"]) // DAY_US) for record in records}
    assert len(days) == len({record["id"] for record in records}) == written[1].events == PLAN.events


def test_the_logs_cover_the_days_and_end_now(records: list[dict[str, Any]]) -> None:
    """No instant is after now or before the first day, and every day of the plan has events."""
    instants = [instant(record["timestamp"]) for record in records]
    assert NOW - PLAN.days * DAY_US <= min(instants)
    assert NOW - DAY_US < max(instants) < NOW
    assert max(instant(record.get("recorded_at", record["timestamp"])) for record in records) <= NOW
    assert len({at // DAY_US for at in instants}) == PLAN.days + 1


def test_lines_are_in_order_of_arrival(written: tuple[Path, generate.Sample], lines: list[bytes]) -> None:
    """A file holds what arrived on its day: most records are of that day, and a few of earlier days."""
    late = 0
    for path in (written[0] / "raw").iterdir():
        day = path.name.split(".")[0].removeprefix("activity-")
        for line in filter(is_valid, content(path).splitlines()):
            recorded = instant(json.loads(line).get("recorded_at") or json.loads(line)["timestamp"])
            late += recorded // DAY_US != instant(f"{day}T00:00:00Z") // DAY_US
            assert recorded <= instant(f"{day}T00:00:00Z") + DAY_US
    assert 0 < late < 0.05 * len(lines)


def test_proportions_are_realistic(lines: list[bytes], records: list[dict[str, Any]]) -> None:
    """Workspace sizes, re-deliveries, record size, actions, system events and languages have realistic shares."""
    workspaces = [number for _, number in Counter(record["workspace_id"] for record in records).most_common()]
    assert len(workspaces) == PLAN.workspaces
    assert workspaces[0] / workspaces[-1] == pytest.approx(PLAN.workspaces, rel=0.25)
    repeated = sum(number - 1 for number in Counter(filter(is_valid, lines)).values())
    assert 0.02 <= repeated / len(lines) <= 0.04
    assert 600 <= sum(map(len, lines)) / len(lines) <= 720
    assert {record["action"] for record in records} == set(ACTIONS)
    assert 0.02 <= sum("user" not in record for record in records) / len(records) <= 0.06
    for workspace in {record["workspace_id"] for record in records}:
        tags = {tag for record in records if record["workspace_id"] == workspace for tag in locales(record)}
        assert 8 <= len(tags - {"", "und"}) <= 25


def locales(record: dict[str, Any]) -> set[str]:
    """Return a record's locales in their stored form."""
    languages = record.get("usage", {}).get("languages", [])
    return {(language["locale"] or "").lower().replace("_", "-") for language in languages}


def test_runs_have_versions(records: list[dict[str, Any]]) -> None:
    """Later versions are recorded later and use no less, and every status is the last one of some run."""
    versions: dict[str, dict[str, dict[str, Any]]] = {}
    for record in records:
        if record["action"] == "workflow_run":
            versions.setdefault(record["id"], {})[record.get("recorded_at", "")] = record
    last_statuses: Counter[str] = Counter()
    for run in versions.values():
        ordered = [run[at] for at in sorted(run, key=lambda at: instant(at) if at else 0)]
        used = [record.get("usage", {}).get("credits", 0) for record in ordered]
        assert used == sorted(used)
        assert len({record["run"]["id"] for record in ordered}) == 1
        last_statuses[ordered[-1]["run"]["status"]] += 1
    assert last_statuses.keys() == {"pending", "running", "paused", "completed", "failed", "cancelled"}
    assert last_statuses["completed"] > 0.75 * len(versions)
    assert sum(len(run) > 1 for run in versions.values()) > 0.3 * len(versions)


def test_activity_follows_day_and_week(tmp_path: Path) -> None:
    """Weekdays are busier than weekends, and days than nights, on the workspace's own clock (UTC+9 here)."""
    generate.write(tmp_path, msgspec.structs.replace(PLAN, workspaces=1))
    local = [
        datetime.fromisoformat(json.loads(line)["timestamp"])
        for path in (tmp_path / "raw").iterdir()
        for line in filter(is_valid, content(path).splitlines())
    ]
    assert {moment.utcoffset() for moment in local} == {timedelta(hours=9)}
    by_weekday = Counter(moment.weekday() for moment in local)
    assert max(by_weekday[5], by_weekday[6]) < 0.5 * min(by_weekday[day] for day in range(5))
    assert sum(9 <= moment.hour < 18 for moment in local) > 0.6 * len(local)


def test_the_directory_agrees_with_the_log(
    written: tuple[Path, generate.Sample], records: list[dict[str, Any]]
) -> None:
    """Actors are members, removed members no longer act, and the returned key works."""
    folder, result = written
    members = list(rows(folder, MEMBERS))
    places = {(member["workspace_id"], member["user_id"]): member for member in members}
    assert len(places) == len(members)
    acting = {(record["workspace_id"], record["user"]["id"]) for record in records if "user" in record}
    assert acting <= places.keys()
    assert {member["status"] for member in members} == {"active", "removed"}
    cast = invent(PLAN)
    ends = {(m.workspace_id, m.user_id): end for m, end in zip(cast.members, cast.removed_at.tolist(), strict=True)}
    assert [member["status"] == "removed" for member in members] == [end < NOW for end in ends.values()]
    for record in records:
        assert "user" not in record or instant(record["timestamp"]) < ends[record["workspace_id"], record["user"]["id"]]
    assert len({user for _, user in places}) < len(places), "nobody is in two workspaces"

    key = next(row for row in rows(folder, PRODUCT_KEYS) if row["key_sha256"] == sha256_hex(result.key))
    assert (key["workspace_id"], key["user_id"]) == (result.workspace_id, result.user_id)
    assert key["scopes"] == ["workspace:read"]
    assert key["revoked_at"] is key["rate_limit_per_min"] is None
    assert places[result.workspace_id, result.user_id]["status"] == "active"
    counts = Counter(record["workspace_id"] for record in records)
    assert counts.most_common(1)[0][0] == result.workspace_id, "the key is not for the busiest workspace"

    accounts = list(rows(folder, ACCOUNTS))
    assert len({account["user_id"] for account in accounts}) == len(accounts)
    assert len({account["quota"] for account in accounts}) > 3
    assert None in {account["period_anchor"] for account in accounts}


def test_names_come_in_many_scripts(records: list[dict[str, Any]]) -> None:
    """Names use accented Latin, Hangul, Kanji and Devanagari."""
    names = "".join({record["user"]["name"] for record in records if "user" in record})
    assert all(any(low <= letter <= high for letter in names) for low, high in ("À\u024f", "가힣", "一鿿", "ऀॿ"))


def test_a_run_loads_it(folder: DataFolder) -> None:
    """A run accepts one version of each event and accounts for every line."""
    plan = Plan(now=folder.now, events=1_500, workspaces=3, days=8, seed=1)
    result = generate.write(folder.root, plan)
    report = folder.run()
    assert report.lines == result.lines
    assert report.accepted == plan.events
    assert report.rejected == 12
    assert report.reasons["truncated_line"] == 1
    assert report.blank == 1


def usage_sample(folder: Path, *more: str) -> Result:
    """Run `usage sample`."""
    return invoke(["sample", "--events", "200", "--days", "3", "--now", NOW_TEXT, "--data-dir", str(folder), *more])


def test_the_command_prints_the_key(tmp_path: Path) -> None:
    """Stdout has three lines of name and value; everything else goes to stderr."""
    result = usage_sample(tmp_path)
    values = dict(line.split("\t") for line in result.stdout.splitlines())
    assert list(values) == ["key", "workspace", "user"]
    assert sha256_hex(values["key"]) in {row["key_sha256"] for row in rows(tmp_path, PRODUCT_KEYS)}
    assert "200 events of 8 workspaces" in result.stderr


def test_a_second_sample_takes_the_place_of_the_first(tmp_path: Path) -> None:
    """Files of the earlier plan that the later plan does not write are deleted."""
    assert usage_sample(tmp_path, "--now", "2026-10-01T12:00:00Z").exit_code == 0
    assert usage_sample(tmp_path).exit_code == 0
    assert [path.name for path in sorted((tmp_path / "raw").iterdir())] == [
        "activity-2026-11-21.jsonl",
        "activity-2026-11-22.jsonl",
        "activity-2026-11-23.jsonl.gz",
        "activity-2026-11-24.jsonl",
    ]


@pytest.mark.parametrize("name", ["raw/theirs.jsonl", "raw/deep/theirs.jsonl.gz", "directory/members.jsonl"])
def test_foreign_files_are_left_alone(tmp_path: Path, name: str) -> None:
    """Files from elsewhere are neither changed nor added to, and the message names one of them."""
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text("theirs")
    result = usage_sample(tmp_path)
    assert result.exit_code == 2
    assert name in result.stderr
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [path]


def test_force_writes_beside_them(tmp_path: Path) -> None:
    """With --force a foreign raw file is kept, and a later sample still refuses to write beside it."""
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/theirs.jsonl").write_text("theirs")
    assert usage_sample(tmp_path, "--force").exit_code == 0
    assert usage_sample(tmp_path).exit_code == 2
    assert (tmp_path / "raw/theirs.jsonl").read_text() == "theirs"


def test_logs_before_the_first_day_are_refused(tmp_path: Path) -> None:
    """Records before 2011 would be rejected."""
    result = usage_sample(tmp_path, "--now", "2011-01-02T00:00:00Z")
    assert result.exit_code == 2
    assert "2011-01-01" in result.stderr


@pytest.mark.parametrize("now", ["2026-11-24T00:00:00Z", "2026-11-24T00:00:00.000001Z", "2026-11-23T23:59:59.999999Z"])
def test_one_event_of_one_day_at_any_hour(tmp_path: Path, now: str) -> None:
    """The smallest sample works on both sides of midnight."""
    result = generate.write(tmp_path, Plan(now=instant(now), events=1, workspaces=1, days=1, seed=0))
    assert result.events == 1
    found = [line for path in (tmp_path / "raw").iterdir() for line in content(path).splitlines() if is_valid(line)]
    assert len({json.loads(line)["id"] for line in found}) == 1
