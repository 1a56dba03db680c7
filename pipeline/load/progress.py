"""How a run tells what it is doing. A run knows this interface alone; what is shown is for whoever started it."""


class Progress:
    """Is told, and says nothing."""

    def begin(self, stage: str, what: str, total: int = 0, unit: str = "") -> None:
        """Take note that a stage begins.

        Args:
            stage: its name, as in the run's record.
            what: in words, with numbers.
            total: how much there is to do, 0 where that is not known.
            unit: of that.
        """

    def advance(self, done: int, lines: int = 0) -> None:
        """Take note that more of the stage is done, and how many lines of logs that was."""
