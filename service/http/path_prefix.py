"""The service below a path of another site: `/analytics/api/…` for `/api/…`.

Both paths are answered. So it does not matter whether a proxy passes the prefix on or leaves it out, and probes that
ask the service itself need not know it. Where an answer names a path of the service, it has the prefix.
"""

from typing import Any, cast

from litestar.types import HTTPScope


def without(scope: HTTPScope, prefix: str) -> HTTPScope:
    """Return a request without the prefix in its path; the prefix alone means `/`."""
    path = scope["path"]
    rest = path.removeprefix(prefix)
    if len(rest) == len(path) or rest[:1] not in {"", "/"}:
        return scope
    shortened: Any = {**scope, "path": rest or "/"}
    return cast(HTTPScope, shortened)
