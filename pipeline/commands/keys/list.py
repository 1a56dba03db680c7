"""`usage keys list`: list the API keys of the product and those made here."""

from pipeline.commands.as_json import show_json
from pipeline.commands.keys import reporting_failures, shown
from pipeline.commands.options import add_data_dir, add_json, settings
from pipeline.commands.parser import Parser
from pipeline.streams import note, show


def options(parser: Parser) -> None:
    """Add the options of `usage keys list`."""
    add_json(parser, "Print one JSON array, for programs.")
    add_data_dir(parser)


def command(*, as_json: bool, data_dir: str | None) -> None:
    """List the keys: those of the product's export, and those made here.

    A key itself is not stored, only its hash.
    """
    from pipeline import keys as key_files
    from pipeline.contract.text import printable
    from pipeline.storage.opened import open_directory
    from pipeline.terminal import table

    with reporting_failures(), open_directory(settings(data_dir=data_dir)) as directory:
        rows = key_files.stored(directory)
    if as_json:
        show_json([{"file": name, **shown(key)} for name, key in rows])
        return
    if not rows:
        note("no key is in the directory; `usage keys create` makes one")
        return
    lines = [
        (
            key.id,
            name,
            key.workspace_id,
            key.user_id,
            ",".join(key.scopes),
            "no limit" if key.rate_limit_per_min is None else f"{key.rate_limit_per_min}/min",
            "active" if key.revoked_at is None else f"revoked {key.revoked_at}",
            f"{shown(key)['key_sha256_prefix']}…",
        )
        for name, key in rows
    ]
    headings = ("id", "file", "workspace", "user", "scopes", "limit", "state", "hash")
    show("\n".join(table([headings, *(tuple(map(printable, row)) for row in lines)], "<" * len(headings))))
