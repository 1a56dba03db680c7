"""The files of the pages as they are served: encodings, tags, security headers, redirects, and the list of zones."""

import gzip
import json
import re
from typing import Any, Final

import pytest

from pipeline.contract.calendar import utc_offset, zone_names
from pipeline.contract.formats import instant
from service.page.site import Site
from tests.support.forked_service import ForkedService
from tests.support.process import stop

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors {}; require-trusted-types-for 'script'"
)
FILES: Final = sorted(Site(page=True, origins=()).paths - {"/", "/usage"})
TYPES: Final = {"": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
GZIP: Final = [("accept-encoding", "gzip")]
LARGEST_PAGE_BYTES: Final = 30 * 1024


@pytest.mark.parametrize("path", FILES)
def test_encodings(folder: Any, send: Any, path: str) -> None:
    """Every file comes plain or compressed, each with a strong tag of its own, which gets a 304."""
    app = folder.app()
    plain, compressed = send(app, path), send(app, path, headers=GZIP)
    assert gzip.decompress(compressed.body) == plain.body
    assert (compressed.headers["content-encoding"], plain.headers.get("content-encoding")) == ("gzip", None)
    suffix = path.rpartition("/")[2].rpartition(".")[2]
    assert plain.headers["content-type"].split(";")[0] == TYPES.get(suffix, "application/json")
    tags = {reply.headers["etag"] for reply in (plain, compressed)}
    assert len(tags) == 2
    for reply, accepted in ((plain, []), (compressed, GZIP)):
        assert re.fullmatch(r'"[0-9a-f-]+(gzip)?"', reply.headers["etag"])
        assert (reply.headers["vary"], reply.headers["cache-control"]) == ("Accept-Encoding", "no-cache")
        unchanged = send(app, path, headers=[*accepted, ("if-none-match", reply.headers["etag"])])
        assert (unchanged.status, unchanged.body, unchanged.headers["etag"]) == (304, b"", reply.headers["etag"])


@pytest.mark.parametrize("path", [*FILES, "/", "/usage", "/schema"])
def test_headers(folder: Any, send: Any, path: str) -> None:
    """The page, its files and the OpenAPI page carry the policy, and none sets a cookie."""
    for app, ancestors in (
        (folder.app(), "'none'"),
        (folder.app(USAGE_EMBED_ORIGINS="https://app.example.com, HTTP://Host:80,http://host:3000"), None),
    ):
        headers = send(app, path).headers
        listed = ancestors or "https://app.example.com http://host http://host:3000"
        assert headers["content-security-policy"] == POLICY.format(listed)
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "set-cookie" not in headers


def test_where_the_page_is(folder: Any, send: Any) -> None:
    """`/` and `/usage` lead to the page with their query, relative to a prefix that a proxy may add."""
    app = folder.app()
    for path in ("/", "/usage"):
        reply = send(app, path, b"range=60d&timezone=Asia/Kathmandu")
        assert (reply.status, reply.headers["location"]) == (307, "usage/?range=60d&timezone=Asia/Kathmandu")
        assert send(app, path).headers["location"] == "usage/"
        assert send(app, path, b"\xff").headers["location"] == "usage/"
        assert send(app, path, method="POST").status == 405
        assert send(app, path, method="OPTIONS").status == 204


def test_without_the_page(folder: Any, send: Any) -> None:
    """`USAGE_PAGE=false` takes the page away, but not the OpenAPI page and its files."""
    app = folder.app(USAGE_PAGE="false")
    for path in ("/", "/usage", *FILES):
        assert send(app, path).status == (200 if path.startswith("/schema") else 404)
    assert send(app, "/schema").status == 200


def test_the_openapi_page_needs_no_style_of_its_own(folder: Any, send: Any) -> None:
    """What the OpenAPI page links to exists, relative to it, and nothing in it breaks the policy."""
    app = folder.app()
    text = send(app, "/schema").body.decode()
    links = re.findall(r'(?:href|src)="([^"]+)"', text)
    assert {send(app, f"/{link}").status for link in links} == {200}
    assert not any(word in text for word in ("<style", "style=", "<script"))


def test_embedding_origins(folder: Any, send: Any) -> None:
    """The page's HTML names the applications that may embed it, escaped."""
    page = send(folder.app(USAGE_EMBED_ORIGINS="https://a.example,http://b.example:81"), "/usage/").body.decode()
    assert '<meta name="embed-origins" content="https://a.example http://b.example:81">' in page
    assert '<meta name="embed-origins" content="">' in send(folder.app(), "/usage/").body.decode()


def test_size(folder: Any, send: Any) -> None:
    """All files of the page are at most 30 kB, compressed."""
    app = folder.app()
    sizes = {path: len(send(app, path, headers=GZIP).body) for path in FILES if path.startswith("/usage/")}
    assert sum(sizes.values()) - sizes["/usage/zones.json"] <= LARGEST_PAGE_BYTES, sizes
    assert sum(sizes.values()) <= LARGEST_PAGE_BYTES, sizes


def test_zones(folder: Any, send: Any) -> None:
    """The list has every zone once, as a name or an alias, with its offset at the instant of the request."""
    for now in ("2026-11-01T05:59:59Z", "2026-11-01T06:00:00Z"):  # New York's clock goes back at the latter
        content = send(folder.app(instant(now)), "/usage/zones.json").body
        zones = json.loads(content)["zones"]
        names = [name for name, _, *aliases in zones for name in (name, *aliases)]
        assert sorted(names) == sorted(zone_names() - {"Factory"})
        assert all(offset * 60 == utc_offset(name, instant(now)) for name, offset, *_ in zones)
        aliases = {alias: name for name, _, *aliases in zones for alias in aliases}
        assert aliases.items() >= {
            ("Asia/Katmandu", "Asia/Kathmandu"),
            ("Europe/Kiev", "Europe/Kyiv"),
            ("Africa/Asmera", "Africa/Asmara"),
            ("Etc/UTC", "UTC"),
        }
        for alias, name in aliases.items():
            assert utc_offset(alias, instant(now)) == utc_offset(name, instant(now))


def test_zones_are_made_once(folder: Any, send: Any) -> None:
    """The list keeps its tag until the offset of some zone changes."""
    now = instant("2026-11-01T05:50:00Z")
    app = folder.app()
    tags = []
    for minutes in (0, 5, 10):
        folder.now = now + minutes * 60_000_000
        tags.append(send(app, "/usage/zones.json").headers["etag"])
    assert tags[0] == tags[1] != tags[2]


def test_the_address_is_printed(folder: Any) -> None:
    """`usage serve` prints where the page is, unless it is turned off."""
    folder.publish()
    for page in ("true", "false"):
        process = ForkedService(["serve", "--port", "0", "--data-dir", str(folder.root)], {"USAGE_PAGE": page})
        printed: list[str] = []
        for line in process.stderr:
            printed.append(line)
            if line.startswith("listening on"):
                break
        stop(process)
        url = printed[-1].split()[2]
        assert (f"usage page at {url}/usage/\n" in printed) is (page == "true")
