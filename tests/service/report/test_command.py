"""`usage report`: its exit codes, its messages, and where it writes."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import service.commands
from tests.support.command import done, refused
from tests.support.invoked import Result, invoke
from tests.support.service_folder import OTHER_WORKSPACE, USER, WORKSPACE, ServiceFolder, make_event

ROOT = Path(service.commands.__file__).parents[1]


def usage(folder: ServiceFolder, *arguments: str) -> Result:
    """Run `usage report` of the workspace."""
    command = ["report", *arguments, "--data-dir", str(folder.root)]
    return invoke(command if "--workspace" in arguments else [*command, "--workspace", WORKSPACE])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--workspace", "acme"), "--workspace must be a UUID, not 'acme'"),
        (("--workspace", USER), f"no workspace {USER}: it has no events, and members.jsonl lacks it"),
        (("--zone", "europe/berlin"), "--zone must be an IANA time zone name such as Europe/Berlin (case-sensitive)"),
        (("--zone", "../../etc/passwd"), "--zone must be an IANA time zone name"),
        (("--month", "2026-13"), "--month must be a month such as 2026-10, from 2011-01 on, not '2026-13'"),
        (("--month", "2010-12"), "--month must be a month such as 2026-10, from 2011-01 on, not '2010-12'"),
        (("--month", "2026-12"), "--month is in the future: today is 2026-11-30 in UTC, by --now or the age"),
        (("--month", "9999-12"), "--month is in the future"),
        (("--month", "2026-12", "--zone", "Pacific/Kiritimati", "--now", "2026-11-30T09:59:59Z"), "is in the future"),
        (("--month", "2026-09"), "nothing of that time is kept: the first day that is kept is 2026-10-15"),
        (("--month", "2026-10", "--range", "30d"), "--month and --range exclude each other"),
        (("--now", "now"), "--now must be an RFC 3339 date-time"),
        (("--now", "9999-12-31T00:00:00Z"), "--now must be in the years 2011 to 2999, not '9999-12-31T00:00:00Z'"),
        (("--now", "0001-01-31T00:00:00Z"), "--now must be in the years 2011 to 2999"),
        (("--force",), "--force needs --output"),
        (("--format", "csv"), "--format csv needs --output, the folder of its files"),
    ],
)
def test_wrong_options(site: ServiceFolder, arguments: tuple[str, ...], message: str) -> None:
    """Exit code 2, one line that says what is wrong, and nothing on stdout."""
    site.publish([make_event(site.now)], data_as_of=site.now, first_kept_day="2026-10-15")
    result = usage(site, *arguments)
    done(result, 2)
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_missing_and_wrong_values(site: ServiceFolder, tmp_path: Path) -> None:
    """Exit code 2 also without a workspace, for an unknown range or format, and where there is no data folder."""
    for arguments in (["--range", "31d"], ["--format", "pdf"], ["--unknown"]):
        done(usage(site, *arguments), 2)
    done(invoke(["report", "--data-dir", str(site.root)]), 2)
    result = invoke(["report", "--workspace", WORKSPACE, "--data-dir", str(tmp_path / "gone")])
    done(result, 2)
    assert result.stderr == f"{tmp_path / 'gone'}: no such folder\n"


def test_known_workspaces(site: ServiceFolder) -> None:
    """A workspace is known by its events or by a member, so a broken directory stops no report of one with events."""
    done(usage(site, "--workspace", OTHER_WORKSPACE), 2)
    site.member(OTHER_WORKSPACE.upper(), site.user)
    done(usage(site, "--workspace", OTHER_WORKSPACE))
    (site.root / "directory/members.jsonl").write_text("{broken\n")
    done(usage(site))
    refused(usage(site, "--workspace", OTHER_WORKSPACE), "members.jsonl, line 1")


def test_nothing_published(folder: ServiceFolder) -> None:
    """Exit code 1 if nothing is published, or what is published cannot be read."""
    assert refused(usage(folder)) == "error: nothing is published yet"
    (folder.root / "published.json").write_text("{}")
    refused(usage(folder), "published.json")


def test_damaged_tables(site: ServiceFolder) -> None:
    """Exit code 1 if a file of the workspace cannot be read."""
    for path in site.root.glob("cube/*/*/*.parquet"):
        path.write_bytes(b"PAR1")
    refused(usage(site), WORKSPACE)


def test_data_of_an_unknown_time(site: ServiceFolder) -> None:
    """As long as no run has read all logs, a report needs `--now`, and says that the age is not known."""
    site.publish([make_event(site.now)], data_as_of=None)
    result = usage(site)
    done(result, 2)
    assert result.stderr.endswith("the report has no instant: name one with --now\n")
    result = usage(site, "--now", "2026-11-30T12:00:00Z")
    done(result)
    assert "an unknown time: no run has read all logs yet" in result.stdout


@pytest.mark.parametrize("format_", ["html", "json"])
def test_output(site: ServiceFolder, tmp_path: Path, format_: str) -> None:
    """A file is replaced with --force only, as a whole; a failure leaves it as it was."""
    path = tmp_path / "report"
    output = ("--format", format_, "--output", str(path))
    done(usage(site, *output))
    first = path.read_bytes()
    again = usage(site, *output)
    done(again, 2)
    assert again.stderr == f"{path} exists; choose another name, or add --force to replace it\n"
    done(usage(site, *output, "--force", "--range", "60d"))
    assert path.read_bytes() not in {b"", first}
    refused(usage(site, "--format", format_, "--output", str(tmp_path / "gone" / "report")), "No such file")
    done(usage(site, "--format", format_, "--output", str(tmp_path)), 2)
    assert not [left for left in tmp_path.iterdir() if left.suffix == ".tmp"]
    stdout = usage(site, "--format", format_, "--output", "/dev/full")
    assert (stdout.exit_code, "No space left on device" in stdout.stderr) == (1, True)


def test_output_of_csv(site: ServiceFolder, tmp_path: Path) -> None:
    """Files of CSV go into a folder, beside others; one that exists is replaced with --force only."""
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv/usage-languages.csv").write_text("mine")
    output = ("--format", "csv", "--output", str(tmp_path / "csv"))
    result = usage(site, *output)
    done(result, 2)
    assert [path.name for path in (tmp_path / "csv").iterdir()] == ["usage-languages.csv"]
    done(usage(site, *output, "--force"))
    assert (tmp_path / "csv/usage-languages.csv").read_text("utf-8-sig").startswith("locale_code,")
    refusal = usage(site, "--format", "csv", "--output", str(tmp_path / "csv/usage-days.csv"))
    done(refusal, 2)
    assert refusal.stderr.endswith("is a file; with --format csv, name a folder\n")


def test_other_commands_do_not_import_it(tmp_path: Path) -> None:
    """No other command imports what a report needs: its template library takes a twentieth of a second."""
    script = "import sys, service.commands; print({'jinja2', 'babel', 'service.api', 'asyncio'} & set(sys.modules))"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-c", script]
    found = subprocess.run(command, capture_output=True, text=True, check=True, env=environ, cwd=tmp_path)
    assert found.stdout == "set()\n"


def test_one_commit(site: ServiceFolder, monkeypatch: pytest.MonkeyPatch, event: Callable[..., Any]) -> None:
    """If a commit replaces files while a report is made, all of it is of one commit."""
    from service.tables import windows  # noqa: PLC0415 - as the report imports it

    read = windows.between
    commits = iter([True])

    def between(*arguments: Any) -> Any:
        for _ in commits:
            for path in site.root.glob("cube/*/*/*.parquet"):
                path.unlink()
            site.publish([event(site.now, credits=5)], data_as_of=site.now)
        return read(*arguments)

    monkeypatch.setattr(windows, "between", between)
    result = usage(site, "--format", "json")
    done(result)
    assert '"total_credits": 5' in result.stdout
    assert '"untagged_credits": 5' in result.stdout
