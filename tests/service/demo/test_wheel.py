"""The wheel leaves out the demo, because it needs the published client, a development dependency."""

from pathlib import PurePath

from hatchling.builders.wheel import WheelBuilder

from tests.support.project import ROOT


def test_the_wheel_leaves_the_demo_out() -> None:
    """The wheel has every room of the service except the demo."""
    paths = [PurePath(file.distribution_path) for file in WheelBuilder(str(ROOT)).recurse_included_files()]
    rooms = {path.parts[1] for path in paths if path.parts[0] == "service" and len(path.parts) > 2}
    assert rooms == {"api", "auth", "commands", "http", "page", "report", "serving", "tables", "telemetry"}
