"""`usage forget`: erase some users or workspaces for good."""

from typing import Annotated

import typer

from pipeline.commands.app import app
from pipeline.commands.erasing import erase
from pipeline.commands.options import DataDir, Now, instant, refuse, settings


@app.command()
def forget(
    user: Annotated[list[str] | None, typer.Option(help="UUID of a user to forget; repeat for more.")] = None,
    workspace: Annotated[list[str] | None, typer.Option(help="UUID of a workspace to forget; repeat for more.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Erase the data; without it, only print how much.")] = False,
    data_dir: DataDir = None,
    now: Now = None,
) -> None:
    """Erase users or workspaces for good.

    Their events, numbers, rejected lines and keys are erased, and never loaded again; in the events of others, the id
    of a user is replaced. Without --apply nothing is changed. Raw files, backups and the product's directory are never
    changed.

    Exit codes: 0 done; 1 failed, the next run does the rest; 2 wrong options; 75 a run is at work; 130, 143
    stopped by SIGINT, SIGTERM, the next run does the rest.
    """
    from pipeline.contract.calendar import rfc3339
    from pipeline.storage.tombstones import Tombstone, hashed

    users, workspaces = _uuids(user, "--user"), _uuids(workspace, "--workspace")
    if not users and not workspaces:
        refuse("name a user or a workspace, with --user or --workspace")
    at = instant(now)
    tombstones = [Tombstone("user", rfc3339(at), sha256=hashed(id_)) for id_ in users]
    tombstones += [Tombstone("workspace", rfc3339(at), sha256=hashed(id_)) for id_ in workspaces]
    plan = erase(settings(data_dir=data_dir), at, tombstones, apply=apply)
    if users:
        typer.echo(f"places in the events of others that name them: {plan.places:,}")
    spellings = [spelling for id_ in [*users, *workspaces] for spelling in (id_, id_.replace("-", ""))]
    typer.echo(
        "raw/, backups and the product's export in directory/ may still contain them; to find raw files:"
        f" grep -ril{''.join(f' -e {spelling}' for spelling in spellings)} raw/ (zgrep, zstdgrep)",
        err=True,
    )


def _uuids(texts: list[str] | None, option: str) -> list[str]:
    from pipeline.contract import formats

    try:
        return [formats.uuid(text) for text in texts or ()]
    except formats.FormatError as error:
        refuse(f"{option} must be a UUID, not {str(error)!r}")
