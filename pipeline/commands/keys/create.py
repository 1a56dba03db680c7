"""`usage keys create`: create an API key and print it."""

from typing import Any

from pipeline.commands.as_json import show_json
from pipeline.commands.keys import reporting_failures
from pipeline.commands.options import add_data_dir, add_json, refuse, settings
from pipeline.commands.parser import Parser, whole_number
from pipeline.contract import formats
from pipeline.streams import note, show


def options(parser: Parser) -> None:
    """Add the options of `usage keys create`."""
    parser.add_argument("--workspace", required=True, metavar="UUID", help="The workspace that the key reads.")
    parser.add_argument("--user", required=True, metavar="UUID", help="The active member who owns the key.")
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
    *, workspace: str, user: str, scopes: list[str], rate_limit_per_min: int | None, as_json: bool, data_dir: str | None
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
        granted: dict[str, Any] = {
            "workspace_id": _uuid(workspace, "--workspace"),
            "user_id": _uuid(user, "--user"),
            "scopes": sorted(set(scopes or [READ_SCOPE])),
            "rate_limit_per_min": rate_limit_per_min,
        }
        secret = key_files.create(directory, key_id=key_id, **granted)
    if as_json:
        show_json({"id": key_id, "key": secret, **granted})
        return
    note(f"id {key_id}")
    show(secret)


def _uuid(text: str, option: str) -> str:
    try:
        return formats.uuid(text)
    except formats.FormatError:
        refuse(f"{option} must be a UUID, not {text!r}")
