"""`usage check` of manifests: the files that make up the tables, and whether they exist."""

from typing import Any

import msgspec
import pytest

from pipeline.contract.tables import Manifest, manifest_path
from tests.support.checked import OTHER, checked, monthly, pretend, wrong
from tests.support.data_folder import WORKSPACE, DataFolder


def test_a_manifest_missing(good: DataFolder) -> None:
    """A missing manifest of a workspace with events is one fault; the workspace's files are not compared."""
    uri = manifest_path(OTHER)
    (good.root / uri).unlink()
    report = checked(good)
    assert wrong(report) == {"manifests": 1}
    assert uri in report.manifests.first[0]
    assert report.cube.workspaces == 2


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"workspace_id": 3}'])
def test_a_manifest_torn(good: DataFolder, content: bytes) -> None:
    """A manifest that cannot be read is reported with its path."""
    (good.root / manifest_path(OTHER)).write_bytes(content)
    report = checked(good)
    assert wrong(report) == {"manifests": 1}
    assert report.manifests.first[0].startswith(f"{manifest_path(OTHER)} is damaged")


def test_a_manifest_of_wrong_files(good: DataFolder) -> None:
    """A manifest must name files of its own workspace, each for its own month, and every month with events."""
    path = good.root / manifest_path(WORKSPACE)
    manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    october, november = manifest.months["2026-10"], manifest.months["2026-11"]

    def says(workspace_id: str = WORKSPACE, **months: Any) -> dict[str, int]:
        named = {name.replace("_", "-").removeprefix("m"): files for name, files in months.items()}
        path.write_bytes(msgspec.json.encode(Manifest(workspace_id, "r", named)))
        pretend(path)
        return wrong(checked(good))

    assert says(m2026_10=october, m2026_11=november) == {}
    assert says(OTHER, m2026_10=october, m2026_11=november) == {"manifests": 1}
    # Two files of another month, and two orphans that the manifest named before.
    assert says(m2026_10=november, m2026_11=november) == {"manifests": 4}
    assert says(m2026_10=october) == {"manifests": 3}
    assert says(m2026_10=october, m2026_11=november, m2026_13=november) == {"manifests": 1}


@pytest.mark.parametrize("table", ["cube", "actors"])
def test_a_file_missing(good: DataFolder, table: str) -> None:
    """A missing file that a manifest names is reported with its month."""
    path = monthly(good, table)
    path.unlink()
    report = checked(good)
    assert wrong(report) == {"manifests": 1}
    uri = path.relative_to(good.root).as_posix()
    assert report.manifests.first[0].startswith(f"{manifest_path(WORKSPACE)} names for 2026-11 {uri}, which is missing")


@pytest.mark.parametrize("table", ["cube", "actors"])
def test_an_orphan(good: DataFolder, table: str) -> None:
    """A file that no manifest names is reported as an orphan."""
    path = monthly(good, table)
    orphan = path.with_name("orphan.parquet")
    orphan.write_bytes(path.read_bytes())
    report = checked(good)
    assert wrong(report) == {"manifests": 1}
    assert orphan.relative_to(good.root).as_posix() in report.manifests.first[0]


def test_published(good: DataFolder) -> None:
    """A missing or unreadable `published.json` is a fault."""
    (good.root / "published.json").write_text("{")
    assert wrong(checked(good)) == {"manifests": 1}
    (good.root / "published.json").unlink()
    assert wrong(checked(good)) == {"manifests": 1}
