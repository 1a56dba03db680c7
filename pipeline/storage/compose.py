"""Turn changes into the operations of a folder's commit, in their order.

Reads the manifests and the records of runs; stages new ones, and `published.json`. The order of the operations matters
to readers, even after a power cut: first the tables, then the manifests that name them, then `published.json`, last the
deletes of files that nothing names any more.
"""

from collections.abc import Collection

import msgspec

from pipeline.contract.tables import PUBLISHED, Manifest, Month, manifest_path
from pipeline.storage import catalog
from pipeline.storage.changes import Changes, Extent
from pipeline.storage.folder import FolderStore
from pipeline.storage.store import TABLES, Operation


def compose(store: FolderStore, changes: Changes) -> list[Operation]:
    """Stage manifests, the run's record and `published.json`; return all operations in the order of the commit.

    Raises:
        DamagedError: a manifest cannot be read, or is not as it was written.
        OSError: a file cannot be staged.
    """
    rebuilt, tables = changes.rebuilt, changes.tables
    if rebuilt is not None:
        tables = {name: [] for name in store.workspaces() if rebuilt.names(name)} | tables
    staged = [*(operation for operations in tables.values() for operation in operations), *changes.others]
    manifests, outdated = [], []
    # A manifest of which all months are rebuilt may be damaged.
    stored = store.months(name for name in tables if rebuilt is None or not rebuilt.covers_all(name))
    for workspace_id in sorted(tables):
        before = stored.get(workspace_id, {})
        changed = _kept(rebuilt, workspace_id, before) | changes.months.get(workspace_id, {})
        after = {month: files for month, files in changed.items() if files}
        manifests.append(_manifest(store, changes, workspace_id, after))
        for month, files in before.items():
            if after.get(month) != files:
                outdated += [Operation("delete", files.cube), Operation("delete", files.actors)]
        if changes.force:
            orphans = catalog.orphans(store, workspace_id, catalog.named(after))
            outdated += [Operation("delete", uri) for uri in orphans]
    if rebuilt is not None:
        outdated += _leftovers(store, rebuilt, {operation.final for operation in [*staged, *outdated]})
    staged.append(_record(store, changes))
    published_last = [_stage(store, changes, PUBLISHED, msgspec.json.encode(changes.published))]
    sync = Operation("sync")
    replaces = [operation for operation in staged if operation.kind == "replace"]
    deletes = [operation for operation in staged if operation.kind == "delete"] + outdated + changes.orphans
    if changes.carried_out is not None:
        deletes.append(sync)  # so that a power cut does not bring back what was erased
    if not manifests:
        return [*replaces, *published_last, sync, *deletes]
    return [*replaces, sync, *manifests, sync, *published_last, sync, *deletes]


def _kept(rebuilt: Extent | None, workspace_id: str, months: dict[str, Month]) -> dict[str, Month | None]:
    """Return the months that are not rebuilt."""
    return {month: files for month, files in months.items() if not (rebuilt and rebuilt.covers(workspace_id, month))}


def _manifest(store: FolderStore, changes: Changes, workspace_id: str, months: dict[str, Month]) -> Operation:
    if not months:  # to readers, a workspace without a manifest has no events
        return Operation("delete", manifest_path(workspace_id))
    manifest = Manifest(workspace_id, changes.run, dict(sorted(months.items())))
    return _stage(store, changes, manifest_path(workspace_id), msgspec.json.encode(manifest))


def _leftovers(store: FolderStore, rebuilt: Extent, mentioned: Collection[str]) -> list[Operation]:
    """Return the deletes of all files of what is rebuilt, except those that the commit mentions already."""
    found = []
    for table in TABLES:
        for uri in catalog.files(store, table):
            workspace_id, partition = (folder.partition("=")[2] for folder in uri.split("/")[1:3])
            if uri.endswith(".parquet") and rebuilt.covers(workspace_id, partition[:7]) and uri not in mentioned:
                found.append(Operation("delete", uri))
    if rebuilt.everything:
        found += [Operation("delete", uri) for uri in catalog.quarantine_files(store) if uri not in mentioned]
    return found


def _record(store: FolderStore, changes: Changes) -> Operation:
    """Stage the records of the day's runs, including this one.

    The digest is that of the earlier records as they were written, so that if they are damaged now, which stops no run,
    `usage check` finds that afterwards too.
    """
    final, line = changes.record_uri, changes.record
    before = store.read(final)
    staged = _stage(store, changes, final, (before or b"") + line)
    known = store.digests([final]).get(final)
    if before is None or known is None:
        return staged
    digest = known.followed_by(line)
    return msgspec.structs.replace(staged, size=digest.size, checksum=digest.checksum)


def _stage(store: FolderStore, changes: Changes, final: str, content: bytes) -> Operation:
    return store.stage(f"{changes.staging}/{final}", final, content)
