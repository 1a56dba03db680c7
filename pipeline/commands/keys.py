"""`usage keys`: make, list and revoke API keys. A new key goes to stdout once; what is not data goes to stderr."""

from typing import Annotated

import typer

from pipeline.commands.app import app
from pipeline.commands.options import DataDir, instant, refuse, settings
from pipeline.contract import formats
from pipeline.contract.calendar import rfc3339

keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make, list and revoke API keys.")
app.add_typer(keys, name="keys")


@keys.command()
def create(
    workspace: Annotated[str, typer.Option(help="UUID of the workspace that the key may read.", show_default=False)],
    user: Annotated[str, typer.Option(help="UUID of the active member it speaks for.", show_default=False)],
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do, else workspace:read; repeat for more.")
    ] = None,
    rate_limit_per_min: Annotated[
        int | None, typer.Option(min=1, help="Requests a minute, else no limit.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key and print it: it is shown this once and stored as a hash only."""
    from ulid_transform import ulid_now

    from pipeline import keys as key_files

    key_id = f"key_{ulid_now()}"
    try:
        secret = key_files.create(
            settings(data_dir=data_dir).data_dir,
            key_id=key_id,
            workspace_id=_uuid(workspace, "--workspace"),
            user_id=_uuid(user, "--user"),
            scopes=scope or [key_files.READ_SCOPE],
            rate_limit_per_min=rate_limit_per_min,
        )
    except key_files.KeysError as error:
        refuse(str(error))
    typer.echo(f"id {key_id}", err=True)
    typer.echo(secret)


@keys.command("list")
def list_keys(data_dir: DataDir = None) -> None:
    """List the keys: id, file, workspace, user, scopes, limit, state and the first digits of the hash."""
    from pipeline import keys as key_files

    try:
        rows = key_files.stored(settings(data_dir=data_dir).data_dir)
    except key_files.KeysError as error:
        refuse(str(error))
    for name, key in rows:
        limit = "no limit" if key.rate_limit_per_min is None else f"{key.rate_limit_per_min}/min"
        state = "active" if key.revoked_at is None else f"revoked {key.revoked_at}"
        columns = (key.id, name, key.workspace_id, key.user_id, ",".join(key.scopes), limit, state)
        typer.echo("\t".join((*columns, f"{key.key_sha256[:8]}…")))


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="As `usage keys list` shows it.")],
    data_dir: DataDir = None,
) -> None:
    """Revoke a key made here; the service notices within seconds."""
    from pipeline import keys as key_files

    try:
        key = key_files.revoke(settings(data_dir=data_dir).data_dir, key_id, rfc3339(instant(None)))
    except key_files.KeysError as error:
        refuse(str(error))
    typer.echo(f"{key.id} revoked {key.revoked_at}", err=True)


def _uuid(text: str, option: str) -> str:
    try:
        return formats.uuid(text)
    except formats.FormatError:
        refuse(f"{option} must be a UUID, not {text!r}")
