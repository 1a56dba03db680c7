"""`usage sample`: write sample logs and a directory to try everything with.

Writes `raw/` and `directory/` of the data folder, and a working API key to stdout.
"""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.app import app
from pipeline.commands.options import Now, instant, refuse, settings
from pipeline.contract.calendar import DAY_US, FIRST_DAY, utc_day_start


@app.command()
def sample(
    events: Annotated[int, typer.Option(min=1, help="Distinct events; versions and re-deliveries are extra.")] = 20_000,
    workspaces: Annotated[
        int, typer.Option(min=1, help="Workspaces; the second is half as busy as the first, the third a third.")
    ] = 8,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days of history before --now.")] = 90,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and --now give the same logs.")] = 7,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", "--out", help="The data folder (default USAGE_DATA_DIR).", show_default=False),
    ] = None,
    now: Now = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write beside files from elsewhere; replace those of the same name.")
    ] = False,
) -> None:
    """Write realistic sample logs and a directory, and print a working API key with its workspace and user.

    Exit codes: 0 done; 2 wrong usage, or the data folder holds files that this command did not write.
    """
    from pipeline.sample.cast import Plan
    from pipeline.sample.generate import ForeignFilesError, write

    folder = settings(data_dir=data_dir).data_dir
    if instant(now) - days * DAY_US < utc_day_start(FIRST_DAY):
        refuse(f"the logs would begin before {FIRST_DAY}; earlier records are rejected")
    plan = Plan(now=instant(now), events=events, workspaces=workspaces, days=days, seed=seed)
    try:
        written = write(folder, plan, force=force)
    except ForeignFilesError as error:
        refuse(f"{error}; choose another folder with --data-dir, or add --force to write beside them")
    typer.echo(
        f"{written.events:,} events of {workspaces:,} workspaces in {written.lines:,} lines"
        f" ({written.bytes / 1e6:,.1f} MB), {written.files:,} files in {folder / 'raw'}",
        err=True,
    )
    typer.echo(f"key\t{written.key}\nworkspace\t{written.workspace_id}\nuser\t{written.user_id}")
