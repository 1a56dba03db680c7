"""`usage sample`: write sample logs and a directory to try everything with.

Writes `raw/` and `directory/` of the data folder, and a working API key to stdout.
"""

from pipeline.commands.as_json import show_json
from pipeline.commands.options import add_data_dir, add_json, add_now, instant, refuse, settings
from pipeline.commands.parser import Parser, whole_number
from pipeline.contract.calendar import DAY_US, FIRST_DAY, utc_day_start
from pipeline.streams import note, show

_MOST_DAYS = 3650


def options(parser: Parser) -> None:
    """Add the options of `usage sample`."""
    for name, least, most, value, text in (
        ("events", 1, None, 20_000, "Distinct events; versions and re-deliveries are extra"),
        ("workspaces", 1, None, 8, "Workspaces; the second is half as busy as the first, the third a third"),
        ("days", 1, _MOST_DAYS, 90, "Days of history before --now"),
        ("seed", 0, None, 7, "The same seed and --now give the same logs"),
    ):
        parser.add_argument(
            f"--{name}", type=whole_number(least, most), default=value, metavar="N", help=f"{text} (default: {value})."
        )
    add_data_dir(parser, "--out")
    add_now(parser)
    add_json(parser)
    parser.add_argument(
        "--force", action="store_true", help="Write beside files from elsewhere; replace those of the same name."
    )


def command(
    *,
    events: int,
    workspaces: int,
    days: int,
    seed: int,
    data_dir: str | None,
    now: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write realistic sample logs and a directory, and print a working API key with its workspace and user.

    Exit codes: 0 done; 2 wrong usage, or the data folder holds files that this command did not write.
    """
    import msgspec

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
    note(
        f"{written.events:,} events of {workspaces:,} workspaces in {written.lines:,} lines"
        f" ({written.bytes / 1e6:,.1f} MB), {written.files:,} files in {folder / 'raw'}"
    )
    if as_json:
        show_json({"raw": str(folder / "raw"), "workspaces": workspaces, **msgspec.structs.asdict(written)})
        return
    show(f"key\t{written.key}\nworkspace\t{written.workspace_id}\nuser\t{written.user_id}")
