"""The trace of a command has every change of its data folder: whoever repeats them gets the same files."""

from collections.abc import Sequence
from pathlib import Path

from pipeline import keys
from pipeline.contract.directory import Member
from tests.faults import trace
from tests.faults.host import Host
from tests.faults.shim import Arming
from tests.support.batches import OTHER, batches, drop
from tests.support.data_folder import NOW, USER, WORKSPACE, DataFolder

RUN = ("run", "--workers", "1", "--now", NOW)
COMMANDS = (
    RUN,
    ("keys", "create", "--workspace", WORKSPACE, "--user", USER),
    ("forget", "--apply", "--workspace", OTHER, "--now", NOW),
    ("retention", "--apply", "--keep", "41d", "--now", NOW),
    ("quarantine", "--retry", "--now", NOW),
    (*RUN, "--rebuild"),
)


class Repeated:
    """The files and folders of a data folder, by name; names of one file share its content."""

    def __init__(self, root: Path) -> None:
        self.files: dict[str, int] = {}
        self.folders: set[str] = set()
        self.contents: dict[int, bytearray] = {}
        for path in root.rglob("*"):
            name = path.relative_to(root).as_posix()
            if path.is_dir():
                self.folders.add(name)
            else:
                self.files[name] = path.stat().st_ino
                self.contents[path.stat().st_ino] = bytearray(path.read_bytes())

    def apply(self, event: trace.Event) -> None:
        """Repeat one change."""
        match event:
            case trace.Create():
                self.files[event.path] = event.inode
                self.contents[event.inode] = bytearray()
            case trace.Write():
                content = self.contents[event.inode]
                content.extend(bytes(max(0, event.offset - len(content))))
                content[event.offset : event.offset + len(event.data)] = event.data
            case trace.Truncate():
                content = self.contents[event.inode]
                content.extend(bytes(max(0, event.size - len(content))))
                del content[event.size :]
            case trace.Rename():
                self.files[event.to] = self.files.pop(event.path)
            case trace.Unlink():
                del self.files[event.path]
            case trace.MakeFolder():
                self.folders.add(event.path)
            case trace.RemoveFolder():
                self.folders.remove(event.path)
            case trace.Map():
                assert event.path == "state.sqlite-shm"  # what recovery never reads
            case trace.SyncFile() | trace.SyncAll() | trace.Meta():
                pass
            case _:
                raise AssertionError(event)

    def tree(self) -> dict[str, bytes]:
        """Return the content of every file, except the map of SQLite's log."""
        return {name: bytes(self.contents[inode]) for name, inode in self.files.items() if name != "state.sqlite-shm"}


def recorded(host: Host, folder: DataFolder, command: Sequence[str], target: Path) -> list[trace.Event]:
    """Return the trace of a command that succeeds."""
    arming = Arming(str(folder.root), trace=str(target))
    ended = host.usage([*command, "--data-dir", str(folder.root)], arming=arming)
    assert ended.code == 0, ended.stderr
    assert not ended.fired
    return trace.read_trace(target, folder.root)


def test_nothing_escapes(host: Host, folder: DataFolder, tmp_path: Path) -> None:
    """Repeating the traces of all commands gives the files and folders that they left."""
    keys.write_rows(folder.root / "directory/members.jsonl", [Member(WORKSPACE, USER, "", "admin", "active")])
    seen: set[type[trace.Event]] = set()
    for number, command in enumerate((*(RUN,) * (len(batches()) - 1), *COMMANDS)):
        if number < len(batches()):
            drop(folder, number)
        repeated = Repeated(folder.root)
        events = recorded(host, folder, command, tmp_path / f"trace-{number}")
        for event in events:
            repeated.apply(event)
        left = Repeated(folder.root)
        assert repeated.tree() == left.tree(), command
        assert repeated.files == left.files
        assert repeated.folders == left.folders
        seen |= {type(event) for event in events}
    assert seen >= {trace.Create, trace.Write, trace.Truncate, trace.SyncFile, trace.SyncAll, trace.Rename}
    assert seen >= {trace.Unlink, trace.MakeFolder, trace.RemoveFolder, trace.Map}


def test_other_folders_are_not_watched(host: Host, folder: DataFolder, tmp_path: Path) -> None:
    """Calls on files of another folder are neither recorded nor counted."""
    drop(folder, 0)
    (tmp_path / "data-2").mkdir()
    arming = Arming(str(tmp_path / "data-2"), trace=str(tmp_path / "trace"), calls=str(tmp_path / "calls"))
    assert host.usage([*RUN, "--data-dir", str(folder.root)], arming=arming).code == 0
    assert (tmp_path / "trace").read_bytes() == b""
    assert (tmp_path / "calls").read_text() == ""
