"""`usage check` of manifests: which files make up the tables, and whether they are there."""

from typing import Any

import msgspec
import pytest

from pipeline.contract.tables import Manifest, manifest_path
from tests.support.checked import OTHER, checked, monthly, wrong
from tests.support.data_folder import WORKSPACE, DataFolder


def test_a_manifest_missing(good: DataFolder) -> None:
    """A workspace with events has a manifest; without it no file is known to be current: one fault only."""
    uri = manifest_path(OTHER)
    (good.root / uri).unlink()
    report = checked(good)
    assert wrong(report) == {"manifests": 1}
    assert uri in report.manifests.first[0]
    assert report.cube.workspaces == 2


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"workspace_id": 3}'])
def test_a_manifest_torn(good: DataFolder, content: bytes) -> None:
    """A manifest that cannot be read is named."""
    (good.root / manifest_path(OTHER)).write_bytes(content)
    report = checked(good)
    assert wrong(report) == {"manifests": 1}
    assert report.manifests.first[0].startswith(f"{manifest_path(OTHER)} is damaged")


def test_a_manifest_of_others(good: DataFolder) -> None:
    """A manifest names files of its own workspace, each for its own month, and all months that have events."""
    path = good.root / manifest_path(WORKSPACE)
    manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    october, november = manifest.months["2026-10"], manifest.months["2026-11"]

    def says(workspace_id: str = WORKSPACE, **months: Any) -> dict[str, int]:
        named = {name.replace("_", "-").removeprefix("m"): files for name, files in months.items()}
        path.write_bytes(msgspec.json.encode(Manifest(workspace_id, "r", named)))
        return wrong(checked(good))

    assert says(m2026_10=october, m2026_11=november) == {}
    assert says(OTHER, m2026_10=october, m2026_11=november) == {"manifests": 1}
    # Of another month, twice; and the files that were named before are orphans.
    assert says(m2026_10=november, m2026_11=november) == {"manifests": 4}
    assert says(m2026_10=october) == {"manifests": 3}
    assert says(m2026_10=october, m2026_11=november, m2026_13=november) == {"manifests": 1}


@pytest.mark.parametrize("table", ["cube", "actors"])
def test_a_file_missing(good: DataFolder, table: str) -> None:
    """A file that a manifest names is there."""
    path = monthly(good, table)
    path.unlink()
    report = checked(good)
    assert wrong(report) == {"manifests": 1}
    uri = path.relative_to(good.root).as_posix()
    assert report.manifests.first[0].startswith(f"{manifest_path(WORKSPACE)} names for 2026-11 {uri}, which is missing")


@pytest.mark.parametrize("table", ["cube", "actors"])
def test_an_orphan(good: DataFolder, table: str) -> None:
    """A file that no manifest names is none of the table."""
    path = monthly(good, table)
    path.with_name("stray.parquet").write_bytes(path.read_bytes())
    report = checked(good)
    assert wrong(report) == {"manifests": 1}
    assert path.with_name("stray.parquet").relative_to(good.root).as_posix() in report.manifests.first[0]


def test_published(good: DataFolder) -> None:
    """`published.json` exists and can be read."""
    (good.root / "published.json").write_text("{")
    assert wrong(checked(good)) == {"manifests": 1}
    (good.root / "published.json").unlink()
    assert wrong(checked(good)) == {"manifests": 1}
