"""`usage keys create`: create an API key and print it."""

from typing import Any

from pipeline.commands.as_json import show_json
from pipeline.commands.keys import reporting_failures
from pipeline.commands.options import add_data_dir, add_json, settings, workspace_ids
from pipeline.commands.parser import Parser, whole_number
from pipeline.streams import note, show


def options(parser: Parser) -> None:
    """Add the options of `usage keys create`."""
    parser.add_argument(
        "--workspace", metavar="UUID", help="The workspace that the key reads (default: the only one of the user)."
    )
    parser.add_argument("--user", required=True, metavar="NAME|UUID", help="The active member who owns the key.")
    parser.add_argument(
        "--scope",
        dest="scopes",
        action="append",
        default=[],
        metavar="SCOPE",
        help="A scope; repeat for more (default: workspace:read).",
    )
    parser.add_argument(
        "--rate-limit-per-min", type=whole_number(1), metavar="N", help="Requests per minute (default: no limit)."
    )
    add_json(parser)
    add_data_dir(parser)


def command(
    *,
    workspace: str | None,
    user: str,
    scopes: list[str],
    rate_limit_per_min: int | None,
    as_json: bool,
    data_dir: str | None,
) -> None:
    """Create a key and print it; it cannot be shown again.

    Only its hash is stored.
    """
    from ulid_transform import ulid_now

    from pipeline import keys as key_files
    from pipeline.contract.directory import READ_SCOPE
    from pipeline.storage.opened import open_directory

    key_id = f"key_{ulid_now()}"
    with reporting_failures(), open_directory(settings(data_dir=data_dir)) as directory:
        owner = key_files.find_owner(directory, user, workspace_ids([workspace])[0] if workspace else None)
        granted: dict[str, Any] = {
            **owner._asdict(),
            "scopes": sorted(set(scopes or [READ_SCOPE])),
            "rate_limit_per_min": rate_limit_per_min,
        }
        secret = key_files.create(directory, key_id=key_id, **granted)
    if as_json:
        show_json({"id": key_id, "key": secret, **granted})
        return
    note(f"id {key_id}")
    show(secret)
