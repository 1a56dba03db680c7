"""`usage keys revoke`: revoke an API key that was made here."""

from pipeline.commands.as_json import show_json
from pipeline.commands.keys import reporting_failures, shown
from pipeline.commands.options import add_data_dir, add_json, instant, settings
from pipeline.commands.parser import Parser
from pipeline.contract.calendar import rfc3339
from pipeline.streams import note


def options(parser: Parser) -> None:
    """Add the options of `usage keys revoke`."""
    parser.add_argument("key_id", metavar="KEY_ID", help="As printed by `usage keys list`.")
    add_json(parser)
    add_data_dir(parser)


def command(*, key_id: str, as_json: bool, data_dir: str | None) -> None:
    """Revoke a key that `usage keys create` made.

    The service notices within 5 seconds.
    """
    from pipeline import keys as key_files
    from pipeline.storage.opened import open_directory

    with reporting_failures(), open_directory(settings(data_dir=data_dir)) as directory:
        key = key_files.revoke(directory, key_id, rfc3339(instant(None)))
    if as_json:
        show_json(shown(key))
    note(f"{key.id} revoked {key.revoked_at}")
