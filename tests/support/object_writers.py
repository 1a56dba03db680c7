"""Commits through the two interfaces of storage, without the steps of a run."""

from pipeline.contract.tables import Month, Published, actors_path, cube_path, events_path, quarantine_path
from pipeline.storage.changes import Changes
from pipeline.storage.store import Operation
from pipeline.storage.writer import Writer

W, V = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "0b5e1c3a-0000-4000-8000-000000000001"


def staged(writer: Writer, run: str, contents: dict[str, bytes]) -> list[Operation]:
    """Stage some files as a piece of work does, and return the operations that publish them."""
    operations = [
        writer.store.stage(f"staging/{run}/attempt/{number}", final, content)
        for number, (final, content) in enumerate(contents.items())
    ]
    writer.store.make_folders(operations)
    return writer.store.deliver(operations)


def load(writer: Writer, number: int, workspace_id: str, months: list[str], **more: object) -> list[str]:
    """Commit a run that writes some months of a workspace, with a day of events each; return what is said of it."""
    run = f"RUN{number}"
    contents: dict[str, bytes] = {}
    for month in months:
        contents[events_path(workspace_id, f"{month}-05")] = f"events of {run}".encode()
        contents[cube_path(workspace_id, month, run)] = f"cube of {run} in {month}".encode()
        contents[actors_path(workspace_id, month, run)] = f"actors of {run}".encode()
    paths = {
        month: Month(cube_path(workspace_id, month, run), actors_path(workspace_id, month, run)) for month in months
    }
    return writer.commit(
        Changes(
            run=run,
            staging=f"staging/{run}",
            published=Published(number, run, 7, 1, "2026f"),
            record=f"{run}\n".encode(),
            record_uri="runs/2026-11-24.jsonl",
            tables={workspace_id: staged(writer, run, contents)},
            months={workspace_id: dict(paths)},
            others=staged(writer, f"{run}Q", {quarantine_path("a.jsonl"): f"rejects of {run}".encode()}),
            orphans=[],
            **more,  # type: ignore[arg-type]  # the fields of `Changes` that a test wants
        )
    )
