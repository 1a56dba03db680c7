"""A clock that a test moves."""


class ManualClock:
    """A monotonic clock that moves only when the test adds seconds."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.seconds
