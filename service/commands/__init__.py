"""The command `usage`: the pipeline's commands, and those that need the API's answers.

One file a command. `main` is the entry point. What a command needs is imported when it is called, so that every other
one starts without it.
"""

import sys
from typing import Final

from pipeline.commands import app
from pipeline.startup import limit_threads
from pipeline.streams import guard

COMMANDS: Final = {
    **app.COMMANDS,
    "report": app.Command("Look", "Report what a workspace used", "service.commands.report"),
    "serve": app.Command("Serve", "Serve the API and the Usage page", "service.commands.serve"),
}


def main() -> None:
    """Run the command line."""
    limit_threads()
    guard()
    app.run(COMMANDS, sys.argv[1:])
