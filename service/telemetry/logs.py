"""One JSON line for each request and for each thing that happens besides, on stderr.

What was sent is never in them, nor what an exception says, which may quote it: only what this service calls things by
itself. Workers write to one stream, whole lines at a time.
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

# What a pipe takes in one piece, so that lines of several workers do not mix; and about 15 lines.
_PIECE_BYTES: Final = 4096
_LINGER_SECONDS: Final = 0.1


class RequestLine(msgspec.Struct, frozen=True):
    """What is logged of one request."""

    request_id: str
    route: str | None
    method: str | None  # None: another than those of HTTP
    status: int
    duration_ms: float
    workspace: str | None
    key: str | None
    timestamp: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    level: str = "info"
    event: str = "request"


class RequestLog:
    """The lines of the requests, gathered for a moment: at a write for each, writing would be most of the work."""

    def __init__(self, descriptor: int = 2) -> None:
        self._descriptor = descriptor
        self._encode = msgspec.json.Encoder().encode
        self._gathered = bytearray()
        self._closing = False

    def write(self, line: RequestLine) -> None:
        """Log a request, soon."""
        encoded = self._encode(line)
        if len(self._gathered) + len(encoded) >= _PIECE_BYTES:
            self.flush()
        if not self._gathered and not self._closing:
            asyncio.get_running_loop().call_later(_LINGER_SECONDS, self.flush)
        self._gathered += encoded
        self._gathered += b"\n"
        if self._closing:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        rest, self._gathered = memoryview(self._gathered), bytearray()
        with suppress(OSError):  # a disk that is full stops no answers
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def close(self) -> None:
        """Write what was gathered, and every further line at once."""
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
    """Put where an exception came from, and its kind, in the place of what it says."""
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
