"""How a file of the pages is answered: compressed or not, 304 to a client that has it, and with the security headers.

Reads `service.page.site`. The headers let a page load nothing from elsewhere, and run no script but its own files.
"""

import asyncio
from typing import Final

from service.api.routes import PAGE
from service.errors import ALLOWED_METHODS, MethodNotAllowedError
from service.http.cache import matches
from service.http.exchange import Exchange, Reply
from service.http.negotiation import preference
from service.page.site import ZONES, Site

_CACHING: Final = ((b"cache-control", b"no-cache"), (b"vary", b"Accept-Encoding"))


async def answer(site: Site, exchange: Exchange) -> Reply:
    """Return the reply to a request for one of the paths of the site.

    Raises:
        MethodNotAllowedError: the method is not GET, HEAD or OPTIONS.
    """
    exchange.route = PAGE
    if exchange.method == "OPTIONS":
        return Reply(204, [(b"allow", ALLOWED_METHODS)], b"")
    if exchange.method not in {"GET", "HEAD"}:
        raise MethodNotAllowedError
    if exchange.path == ZONES:  # takes a while when it is first made
        file = await asyncio.to_thread(site.file, exchange.path, exchange.now)
    else:
        file = site.file(exchange.path, exchange.now)
    if file is None:
        target = site.target(exchange.query_string)
        return Reply(307, [(b"location", target), *_CACHING, *site.headers], b"")
    exchange.route = file.route
    compressed = preference(exchange.headers).gzip
    form = file.gzip if compressed else file.plain
    headers = [(b"etag", form.etag), *_CACHING, *site.headers]
    if matches(form.etag, exchange.headers.get(b"if-none-match", ())):
        return Reply(304, headers, b"")
    described = [(b"content-type", file.content_type), *([(b"content-encoding", b"gzip")] if compressed else [])]
    return Reply(200, [*described, *headers], form.body)
