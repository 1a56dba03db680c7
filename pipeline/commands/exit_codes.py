"""The exit codes of `usage`; 0 means that the command did all it was asked to do."""

from typing import Final

FAILED: Final = 1
WRONG_USAGE: Final = 2
REJECTED: Final = 3  # some lines were rejected, in a run with --strict
UNREADABLE: Final = 4  # some raw files could not be read; everything else was loaded
BUSY: Final = 75  # EX_TEMPFAIL in sysexits.h: try again later
SIGNALLED: Final = 128  # plus the signal's number, as in shells
