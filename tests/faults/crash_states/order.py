"""In which order readers may find new files: a manifest after its events, `published.json` after all manifests.

Reads nothing from the real disk.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from tests.faults.crash_states.contents import Content

_PUBLISHED: Final = "published.json"
Files = Mapping[str, Content]


class Order:
    """Which files must be as the command left them, once others are.

    Args:
        views: all files, whenever the command changed a name.
    """

    def __init__(self, views: Sequence[Files]) -> None:
        first, self._last = views[0], views[-1]
        paths = sorted({path for files in views for path in files})
        # By file that the command changed: the files that come before it.
        self._before: dict[str, list[str]] = {}
        for path in paths:
            if path.startswith((_PUBLISHED, "manifests/")) and first.get(path) != self._last.get(path):
                before = [other for other in paths if other.startswith(_folder_before(path))]
                # Partitions of events are deleted later.
                self._before[path] = [name for name in before if name in self._last or name.startswith("manifests/")]

    def violated(self, files: Files) -> str | None:
        """Return what is out of order on a disk; None: nothing."""
        for path, before in self._before.items():
            if files.get(path) == self._last.get(path):
                for earlier in before:
                    if files.get(earlier) != self._last.get(earlier):
                        return f"{path} is newer than {earlier}"
        return None


def _folder_before(path: str) -> str:
    """Return the folder whose files come before a file."""
    if path == _PUBLISHED:
        return "manifests/"
    workspace_id = path.removeprefix("manifests/").removesuffix(".json")
    return f"events/workspace_id={workspace_id}/"
