"""deploy/monitoring/ against the code: its metrics exist, its rules pass their tests, and operation.md explains all."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.support.command import done, usage
from tests.support.data_folder import DataFolder
from tests.support.missing import skip
from tests.support.project import ROOT
from tests.support.service_folder import ServiceFolder, call

MONITORING: Final = ROOT / "deploy/monitoring"
RULES: Final = yaml.safe_load((MONITORING / "rules.yaml").read_text("utf-8"))["groups"]
TESTS: Final = yaml.safe_load((MONITORING / "rules.test.yaml").read_text("utf-8"))["tests"]
PANELS: Final = json.loads((MONITORING / "dashboard.json").read_text("utf-8"))["panels"]
OPERATION: Final = (ROOT / "docs/operation.md").read_text("utf-8")


def names(text: str) -> set[str]:
    """Return the names of metrics in a text."""
    return set(re.findall(r"\busage_[a-z_]+\b", text))


@pytest.fixture
def exposed(folder: DataFolder, tmp_path: Path) -> dict[str, set[str]]:
    """Return the labels of every metric of the service, and of the file of a run."""
    done(usage(folder, "--metrics", str(tmp_path / "usage.prom")))
    service = ServiceFolder(tmp_path / "service")
    service.publish()
    application = service.app()
    service.ask("/api/v1/usage/summary", app=application)
    text = call(application, "/metrics").body.decode() + (tmp_path / "usage.prom").read_text("utf-8")
    return {
        sample.name: set(sample.labels) for family in text_string_to_metric_families(text) for sample in family.samples
    }


def test_metrics_exist(exposed: dict[str, set[str]]) -> None:
    """Rules, their tests and the dashboard name only metrics and labels that there are; the page explains them all."""
    expressions = [rule["expr"] for group in RULES for rule in group["rules"]]
    expressions += [target["expr"] for panel in PANELS for target in panel["targets"]]
    expressions += [series["series"] for test in TESTS for series in test["input_series"]]
    assert set().union(*map(names, expressions)) <= set(exposed)
    for expression in expressions:
        for name, labels in re.findall(r"\b(usage_[a-z_]+)\{([^}]*)\}", expression):
            used = set(re.findall(r'(\w+)(?:=|!=|=~|!~)"', labels))
            assert used <= {*exposed[name], "job", "instance"}, expression
    listed = {name for cell in re.findall(r"(?m)^\| (`usage_.+?) \|", OPERATION) for name in names(cell)}
    assert {re.sub("_(bucket|count|sum)$", "", name) for name in exposed} == listed


def test_every_alert_is_tested() -> None:
    """Each alert says what is wrong and what to do, and has a test in which it comes and one in which it does not."""
    alerts = {rule["alert"]: rule for group in RULES for rule in group["rules"]}
    expected: dict[str, set[bool]] = {name: set() for name in alerts}
    for test in TESTS:
        for asked in test["alert_rule_test"]:
            expected[asked["alertname"]].add("exp_alerts" in asked)
    assert set(map(frozenset, expected.values())) == {frozenset((True, False))}
    for rule in alerts.values():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert f"`{rule['alert']}`" in OPERATION


def test_rules() -> None:
    """Prometheus' own tool accepts the rules and their tests."""
    tool = shutil.which("promtool") or skip("promtool is not installed")
    for command in (["check", "rules", "rules.yaml"], ["test", "rules", "rules.test.yaml"]):
        ended = subprocess.run([tool, *command], cwd=MONITORING, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_dashboard() -> None:
    """Every panel has a place of its own, and asks the data source that is chosen."""
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place: dict[str, Any] = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["datasource"]["uid"] == "${source}"
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
