"""`usage forget`: erase some users or workspaces for good."""

from pipeline.commands.erasing import add_options, erase
from pipeline.commands.options import (
    add_workspaces,
    instant,
    refuse,
    settings,
    workspace_ids,
)
from pipeline.commands.parser import Parser
from pipeline.streams import note, show


def options(parser: Parser) -> None:
    """Add the options of `usage forget`."""
    parser.add_argument(
        "--user",
        dest="users",
        action="append",
        default=[],
        metavar="UUID",
        help="UUID of a user to forget; repeat for more.",
    )
    add_workspaces(parser, "UUID of a workspace to forget; repeat for more.")
    add_options(parser)


def command(
    *, users: list[str], workspaces: list[str], apply: bool, as_json: bool, data_dir: str | None, now: str | None
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

    users, workspaces = workspace_ids(users, "--user"), workspace_ids(workspaces)
    if not users and not workspaces:
        refuse("name a user or a workspace, with --user or --workspace")
    at = instant(now)
    tombstones = [Tombstone("user", rfc3339(at), sha256=hashed(id_)) for id_ in users]
    tombstones += [Tombstone("workspace", rfc3339(at), sha256=hashed(id_)) for id_ in workspaces]
    asked = {"users": users, "workspaces": workspaces}
    plan = erase(settings(data_dir=data_dir), at, tombstones, apply=apply, as_json=as_json, asked=asked)
    if users and not as_json:
        show(f"places in the events of others that name them: {plan.places:,}")
    spellings = [spelling for id_ in [*users, *workspaces] for spelling in (id_, id_.replace("-", ""))]
    note(
        "raw/, backups and the product's export in directory/ may still contain them; to find raw files:"
        f" grep -ril{''.join(f' -e {spelling}' for spelling in spellings)} raw/ (zgrep, zstdgrep)"
    )
