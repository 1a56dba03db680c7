"""Whether a worker is about to end, as its answers show it."""


class Stopping:
    """Set on SIGTERM: from then on answers close their connection, and the worker is not ready."""

    begun: bool = False
