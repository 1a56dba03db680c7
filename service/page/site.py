"""The files of the Usage page and of the OpenAPI page by their paths, with the headers that all of them carry.

Reads the folder `static` of this package once. Only `zones.json` is made by the service, from the pinned zone data.
"""

import gzip
import re
from collections.abc import Sequence
from functools import partial
from hashlib import blake2b
from html import escape
from importlib.resources import files
from typing import Final, NamedTuple

from service.api.routes import PAGE, SCHEMA_PAGE
from service.page.zone_list import ZoneList

ZONES: Final = f"{PAGE}zones.json"

_TYPES: Final = {
    "html": b"text/html; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "css": b"text/css; charset=utf-8",
    "svg": b"image/svg+xml",
    "json": b"application/json",
}
_FOR_ALL: Final = ("icon.svg",)  # both pages have it below their own path
_OF_SCHEMA: Final = ("schema.css", *_FOR_ALL)
_INDEX: Final = "index.html"
# Indentation, types and lines of comment: a fifth of the scripts, and of no use to a browser.
_UNSENT: Final = re.compile(rb"(?m)^ +(?://.*$)?|^//.*$|/\*\*(?:[^*]|\*(?!/))*\*/ ?")
# In the index, what settings take the place of.
_ORIGINS: Final = b"{embed_origins}"
_PATH_PREFIX: Final = b"{path_prefix}"
_REDIRECTED: Final = ("/", PAGE.rstrip("/"))

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors {ancestors}; require-trusted-types-for 'script'"
)
_DIGEST_BYTES: Final = 16

Fields = tuple[tuple[bytes, bytes], ...]
digest: Final = partial(blake2b, digest_size=_DIGEST_BYTES)


class Form(NamedTuple):
    """The bytes of a file in one encoding, and their strong entity tag."""

    body: bytes
    etag: bytes


class File(NamedTuple):
    """A file in both encodings."""

    route: str  # under which requests are counted
    content_type: bytes
    plain: Form
    gzip: Form


class Site:
    """Every file by its path.

    Args:
        page: whether the Usage page is served; the files of the OpenAPI page always are.
        origins: of the applications that may show the page in a frame.
        prefix: the path below which a proxy shows the service; may be empty.
    """

    def __init__(self, *, page: bool, origins: Sequence[str], prefix: str = "") -> None:
        # Without a prefix it is relative, because a proxy may serve everything below a path that nobody named here.
        self._target = f"{prefix}{PAGE}".encode() if prefix else PAGE.removeprefix("/").encode()
        folder = files("service.page") / "static"
        self._files: dict[str, File] = {}
        self._zones: tuple[bytes, File] | None = None
        self._zone_list = ZoneList()
        for name in _OF_SCHEMA:
            self._files[f"{SCHEMA_PAGE}/{name}"] = _file(SCHEMA_PAGE, name, (folder / name).read_bytes())
        if page:
            names = {entry.name for entry in folder.iterdir()} - {*_OF_SCHEMA} | {*_FOR_ALL}
            for name in sorted(names):
                content = (folder / name).read_bytes()
                if name.endswith(".js"):
                    content = _UNSENT.sub(lambda found: b"\n" * found[0].count(b"\n"), content)  # lines keep numbers
                if name == _INDEX:
                    content = content.replace(_ORIGINS, escape(" ".join(origins)).encode())
                    content = content.replace(_PATH_PREFIX, escape(prefix).encode())
                self._files[PAGE + ("" if name == _INDEX else name)] = _file(PAGE, name, content)
        self.paths: Final = frozenset(self._files) | ({ZONES, *_REDIRECTED} if page else set())
        self.headers: Final[Fields] = (
            (b"content-security-policy", _POLICY.format(ancestors=" ".join(origins) or "'none'").encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
        )

    def file(self, path: str, now: int) -> File | None:
        """Return the file of one of `paths`; None if the path only leads to the page.

        Args:
            path: one of `paths`.
            now: the instant of the request, in microseconds UTC.
        """
        if path in _REDIRECTED:
            return None
        return self._zone_file(now) if path == ZONES else self._files[path]

    def target(self, query_string: bytes) -> bytes:
        """Return where a path that only leads to the page leads, with the query of the request."""
        return self._target + b"?" + query_string if query_string and query_string.isascii() else self._target

    def _zone_file(self, now: int) -> File:
        content = self._zone_list.at(now)
        if self._zones is None or self._zones[0] is not content:
            self._zones = content, _file(PAGE, ZONES, content)
        return self._zones[1]


def _file(route: str, name: str, content: bytes) -> File:
    tag = digest(content).hexdigest().encode()
    compressed = gzip.compress(content, mtime=0)
    content_type = _TYPES[name.rpartition(".")[2]]
    return File(route, content_type, Form(content, b'"%b"' % tag), Form(compressed, b'"%b-gzip"' % tag))
