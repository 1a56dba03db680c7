"""A request from the front to the application that it wraps; the response is kept instead of sent."""

import msgspec
from litestar.types import ASGIApp, HTTPRequestEvent, HTTPScope, Message

from service.http.exchange import Reply
from service.http.handlers import QUESTION, SNAPSHOT
from service.tables.snapshots import Snapshot


async def ask(
    app: ASGIApp, scope: HTTPScope, question: msgspec.Struct | None = None, snapshot: Snapshot | None = None
) -> Reply:
    """Return what the handler of the request's path answers to a question.

    Handlers read no headers, and get none: Litestar would refuse a malformed `Host`.

    Args:
        app: the wrapped application.
        scope: of the request; HEAD becomes GET.
        question: None for a route that takes none.
        snapshot: of the tables, for a question that needs them.
    """
    reply = Reply(500, [], b"")

    async def receive() -> HTTPRequestEvent:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = [(name, value) for name, value in message["headers"] if name != b"content-length"]
        elif message["type"] == "http.response.body":
            reply.body += message["body"]

    inner: HTTPScope = {**scope, "method": "GET", "headers": [], "state": {QUESTION: question, SNAPSHOT: snapshot}}
    await app(inner, receive, send)
    return reply
