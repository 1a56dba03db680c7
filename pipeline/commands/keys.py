"""`usage keys`: create, list and revoke API keys. Only data goes to stdout, so that a new key can be piped."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from pipeline.commands.app import app
from pipeline.commands.exit_codes import BUSY, FAILED
from pipeline.commands.options import DataDir, instant, refuse, settings
from pipeline.contract import formats
from pipeline.contract.calendar import rfc3339

keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Create, list and revoke API keys.")
app.add_typer(keys, name="keys")


@keys.command()
def create(
    workspace: Annotated[str, typer.Option(help="UUID of the workspace that the key reads.", show_default=False)],
    user: Annotated[str, typer.Option(help="UUID of the active member who owns the key.", show_default=False)],
    scope: Annotated[
        list[str] | None, typer.Option(help="A scope; repeat for more.", show_default="workspace:read")
    ] = None,
    rate_limit_per_min: Annotated[
        int | None, typer.Option(min=1, help="Requests per minute.", show_default="no limit")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Create a key and print it; it cannot be shown again.

    Only its hash is stored.
    """
    from ulid_transform import ulid_now

    from pipeline import keys as key_files
    from pipeline.contract.directory import READ_SCOPE
    from pipeline.storage.opened import open_directory

    key_id = f"key_{ulid_now()}"
    with _reporting_failures(), open_directory(settings(data_dir=data_dir)) as directory:
        secret = key_files.create(
            directory,
            key_id=key_id,
            workspace_id=_uuid(workspace, "--workspace"),
            user_id=_uuid(user, "--user"),
            scopes=scope or [READ_SCOPE],
            rate_limit_per_min=rate_limit_per_min,
        )
    typer.echo(f"id {key_id}", err=True)
    typer.echo(secret)


@keys.command("list")
def list_keys(data_dir: DataDir = None) -> None:
    """List the keys.

    Columns: id, file, workspace, user, scopes, limit, state, first digits of the hash.
    """
    from pipeline import keys as key_files
    from pipeline.contract.text import printable
    from pipeline.storage.opened import open_directory

    with _reporting_failures(), open_directory(settings(data_dir=data_dir)) as directory:
        rows = key_files.stored(directory)
    for name, key in rows:
        limit = "no limit" if key.rate_limit_per_min is None else f"{key.rate_limit_per_min}/min"
        state = "active" if key.revoked_at is None else f"revoked {key.revoked_at}"
        columns = (key.id, name, key.workspace_id, key.user_id, ",".join(key.scopes), limit, state)
        typer.echo("\t".join(map(printable, (*columns, f"{key.key_sha256[:8]}…"))))


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As printed by `usage keys list`.")],
    data_dir: DataDir = None,
) -> None:
    """Revoke a key that `usage keys create` made.

    The service notices within 5 seconds.
    """
    from pipeline import keys as key_files
    from pipeline.storage.opened import open_directory

    with _reporting_failures(), open_directory(settings(data_dir=data_dir)) as directory:
        key = key_files.revoke(directory, key_id, rfc3339(instant(None)))
    typer.echo(f"{key.id} revoked {key.revoked_at}", err=True)


@contextmanager
def _reporting_failures() -> Iterator[None]:
    """Print in one line why a command failed: exit 2 if its options or a directory file are wrong, 75, or else 1."""
    from pipeline.contract.directory import DirectoryError
    from pipeline.contract.text import printable
    from pipeline.keys import KeysError
    from pipeline.storage.lock import BusyError

    try:
        yield
    except BusyError as error:
        typer.echo(f"{error}; try again", err=True)
        raise typer.Exit(BUSY) from None
    except (KeysError, DirectoryError) as error:
        refuse(printable(str(error)))
    except OSError as error:
        typer.echo(printable(f"error: {error}"), err=True)
        raise typer.Exit(FAILED) from None


def _uuid(text: str, option: str) -> str:
    try:
        return formats.uuid(text)
    except formats.FormatError:
        refuse(f"{option} must be a UUID, not {text!r}")
