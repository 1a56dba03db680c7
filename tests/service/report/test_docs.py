"""docs/report.md and deploy/mail-report.sh: the windows in the table, the exit codes, and the recipe, executed."""

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from pipeline.contract.calendar import QUARTER_US, rfc3339, today
from pipeline.contract.formats import instant
from pipeline.contract.tables import Published
from service.api.comparison import month_windows
from service.commands import report
from tests.support.missing import skip
from tests.support.project import ROOT
from tests.support.service_folder import WORKSPACE, ServiceFolder

PAGE: Final = (ROOT / "docs/report.md").read_text("utf-8")
COMPARED: Final = re.findall(r"(?m)^\| `(\S+)` \| (\S+Z) \| (\S+) \| (\S+ – \S+) \| (\S+ – \S+) \|$", PAGE)


def test_rows_are_found() -> None:
    """No row of the table is skipped."""
    assert len(COMPARED) == 4


@pytest.mark.parametrize(("zone", "now", "month", "current", "previous"), COMPARED)
def test_compared(zone: str, now: str, month: str, current: str, previous: str) -> None:
    """The windows that are compared are those in the table."""
    moment, published = instant(now), Published(1, "run", instant(now), 1, "2026.6")
    first = date.fromisoformat(f"{month}-01")
    found = month_windows(zone, first, today(zone, moment), moment - moment % QUARTER_US, published)
    assert [" – ".join(map(rfc3339, window)) for window in found if window] == [current, previous]


def test_exit_codes() -> None:
    """The table has the exit codes of the command's help."""
    listed = {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", PAGE)}
    assert listed == {
        int(code) for code in re.findall(r"\b(\d+) [a-z]", (report.command.__doc__ or "").split("codes")[1])
    }


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a folder of programs: `usage`, and a mailer that keeps what it is to send."""
    folder = tmp_path / "bin"
    folder.mkdir()
    call = f"exec '{sys.executable}' -P -c 'from service.commands import main; main()' \"$@\""
    for name, script in (
        ("usage", f"PYTHONPATH='{ROOT}' {call}"),
        ("mutt", 'printf "%s\\n" "$@" > "$SENT/arguments"; cat > "$SENT/text"; cp "$4" "$SENT"'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.parametrize("month", ["2026-10", "2026-12", ""])
def test_recipe(site: ServiceFolder, programs: Path, tmp_path: Path, month: str) -> None:
    """The script mails the report of a month, nothing if there is none, and leaves no file behind."""
    if not month and shutil.which("date") is None:
        skip("date is not installed")
    (shown,) = re.findall(r"(?m)^deploy/mail-report\.sh (\S+) (\S+) (\S+)$", PAGE)
    for folder in ("sent", "temporary"):
        (tmp_path / folder).mkdir()
    environ = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "SENT": str(tmp_path / "sent"),
        "TMPDIR": str(tmp_path / "temporary"),
        "USAGE_DATA_DIR": str(site.root),
    }
    arguments = [WORKSPACE, *shown[1:], *([month] if month else [])]
    ended = subprocess.run(
        [ROOT / "deploy/mail-report.sh", *arguments], env=environ, capture_output=True, text=True, check=False
    )
    assert list((tmp_path / "temporary").iterdir()) == []
    sent = {path.name: path.read_text("utf-8") for path in (tmp_path / "sent").iterdir()}
    if month == "2026-10":
        assert (ended.returncode, ended.stderr) == (0, "")
        assert sent["arguments"].split("\n")[:3] == ["-s", "Usage report 2026-10", "-a"]
        assert sent["arguments"].endswith(f"\n--\n{shown[2]}\n")
        assert sent["text"] == "The usage report of 2026-10 is attached.\n"
        assert f"Usage of workspace {WORKSPACE} in October 2026" in sent["usage-2026-10.html"]
    elif month:
        assert (ended.returncode, sent) == (2, {})
        assert "--month is in the future" in ended.stderr
    else:  # whatever month was before the present one, it is a month
        assert "must be a month" not in ended.stderr
