"""The commands of `usage`: they check the options, call the room that does the work, and print the result.

One file per command, plus what several commands share: options, outcome, erasing, schedule, signals and progress. The
entry point is `app.app`; `service.commands` adds `usage serve` and `usage report` to it.
"""

# Each module adds its command to `app`. A command imports what it needs only when it is called.
from pipeline.commands import check, files, forget, keys, quarantine, retention, run, sample, sql, status, tz_diff  # noqa: F401
