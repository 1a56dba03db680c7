"""`usage keys list`: list the API keys of the product and those made here."""

from pipeline.commands.keys import reporting_failures
from pipeline.commands.options import add_data_dir, settings
from pipeline.commands.parser import Parser
from pipeline.streams import show


def options(parser: Parser) -> None:
    """Add the options of `usage keys list`."""
    add_data_dir(parser)


def command(*, data_dir: str | None) -> None:
    """List the keys.

    Columns: id, file, workspace, user, scopes, limit, state, first digits of the hash.
    """
    from pipeline import keys as key_files
    from pipeline.contract.text import printable
    from pipeline.storage.opened import open_directory

    with reporting_failures(), open_directory(settings(data_dir=data_dir)) as directory:
        rows = key_files.stored(directory)
    for name, key in rows:
        limit = "no limit" if key.rate_limit_per_min is None else f"{key.rate_limit_per_min}/min"
        state = "active" if key.revoked_at is None else f"revoked {key.revoked_at}"
        columns = (key.id, name, key.workspace_id, key.user_id, ",".join(key.scopes), limit, state)
        show("\t".join(map(printable, (*columns, f"{key.key_sha256[:8]}…"))))
