"""The interface through which a run reports what it is doing; the caller of the run decides what is shown."""


class Progress:
    """Ignores every report."""

    def begin(self, stage: str, what: str, total: int = 0, unit: str = "") -> None:
        """Report that a stage begins.

        Args:
            stage: its name, as in the run's record.
            what: what it does, in words and numbers.
            total: how much there is to do, 0 if that is unknown.
            unit: of the total.
        """

    def advance(self, done: int, lines: int = 0) -> None:
        """Report that `done` more units of the stage are done, and how many lines of logs they had."""
