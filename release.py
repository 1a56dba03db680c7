"""Write everything that a release has into a folder: `python release.py dist`, which is what `make dist` runs.

Reads the project's folder. Writes the sdist; from the sdist, so that it is known to be complete, a wheel for each
platform of `hatch_build.TARGETS` and one for all others, without the compiled library; and `constraints.txt`, the
versions of `requirements.lock`. The same files give the same bytes.
"""

import os
import re
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

from hatch_build import TARGETS

ROOT: Final = Path(__file__).parent
CONSTRAINTS: Final = "constraints.txt"


def main(folder: Path) -> None:
    """Replace the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (sdist,) = SdistBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    with tempfile.TemporaryDirectory() as temporary:
        with tarfile.open(sdist) as archive:
            archive.extractall(temporary, filter="data")
        (source,) = Path(temporary).iterdir()
        for platform in (*TARGETS, "any"):
            wheel(source, platform, folder)
    # Without their hashes: pip then wants one of the wheel too, although it is a file that is here.
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    (folder / CONSTRAINTS).write_text(re.sub(r" \\\n( +--hash=\S+( \\)?\n)+", "\n", lock), "utf-8")


def wheel(source: Path, platform: str, folder: Path) -> None:
    """Build the wheel of a platform from an unpacked sdist."""
    zig = str(source / ".zig")  # what the compiler keeps for its next run would be of use to nobody
    os.environ |= {"WHEEL_PLATFORM": platform, "ZIG_GLOBAL_CACHE_DIR": zig, "ZIG_LOCAL_CACHE_DIR": zig}
    list(WheelBuilder(str(source)).build(directory=str(folder), versions=["standard"]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
