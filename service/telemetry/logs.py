"""The log of the service on stderr: one JSON line for each request, and for each other event.

Lines never hold what a client sent, nor the message of an exception, which may quote it: only names and ids of the
service itself. All workers write to one stream, whole lines at a time.
"""

import asyncio
import os
import sys
import traceback
from collections.abc import MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import structlog

# A pipe takes this much in one piece, so that lines of several workers do not mix; about 15 lines.
_PIECE_BYTES: Final = 4096
_DELAY_SECONDS: Final = 0.1  # at most, until a line is written


class RequestLine(msgspec.Struct, frozen=True):
    """The log line of one request."""

    request_id: str
    route: str | None
    method: str | None  # None: not a known method of HTTP
    status: int
    duration_ms: float
    workspace: str | None
    key: str | None
    timestamp: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    level: str = "info"
    event: str = "request"


class RequestLog:
    """The log of the requests, written in batches: a write for each line would be most of the work of a request."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._encode = msgspec.json.Encoder().encode
        self._pending = bytearray()
        self._closing = False

    def write(self, line: RequestLine) -> None:
        """Log a request, within `_DELAY_SECONDS`."""
        encoded = self._encode(line)
        if len(self._pending) + len(encoded) >= _PIECE_BYTES:
            self.flush()
        if not self._pending and not self._closing:
            asyncio.get_running_loop().call_later(_DELAY_SECONDS, self.flush)
        self._pending += encoded
        self._pending += b"\n"
        if self._closing:
            self.flush()

    def flush(self) -> None:
        """Write the pending lines."""
        rest, self._pending = memoryview(self._pending), bytearray()
        with suppress(OSError):  # a full disk stops no answers
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def close(self) -> None:
        """Write the pending lines, and from now on every line at once."""
        self._closing = True
        self.flush()


def configure_logs() -> None:
    """Set up structlog for this process."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _trace,
            structlog.processors.JSONRenderer(serializer=_encode),
        ],
        logger_factory=structlog.BytesLoggerFactory(file=sys.stderr.buffer),
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=True,
    )


def _trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace an exception by its kind and where it was raised, without its message."""
    raised = event.pop("exc_info", None)
    if raised:
        causes = []
        error = raised if isinstance(raised, BaseException) else sys.exception()
        while error is not None:
            frames = traceback.extract_tb(error.__traceback__)
            where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
            causes.append({"kind": type(error).__qualname__, "where": where})
            error = error.__cause__ or error.__context__
        event["exception"] = causes
    return event


def _encode(event: object, **_: object) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)
