"""JSON or CSV, compressed or not: the same answer, its tags and its headers."""

import csv
import gzip
import json
from collections.abc import Callable
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from pipeline.contract.calendar import DAY_US
from service.api import csv_tables
from service.http import compression

Maker = Callable[..., dict[str, Any]]
SUMMARY = "/api/v1/usage/summary"
LANGUAGES = "/api/v1/usage/by-language"
ACTIVITY = "/api/v1/usage/activity"
WHOAMI = "/api/v1/auth/whoami"


def _table(reply: Any) -> list[dict[str, str]]:
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(StringIO(reply.body.decode("utf-8-sig"), newline=""), strict=True))


def _texts(row: dict[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in row.items()}


def _busy(folder: Any, event: Maker, count: int = 40) -> None:
    folder.publish(
        [
            event(
                folder.now - k * DAY_US // 2,
                id=f"evt_{k:03}",
                credits=3 * k + 1,
                languages=[{"locale": "nb" if k % 2 else "de", "characters": 10 * k, "lines": k}, {"characters": k}],
                user_id=None if k % 3 else folder.user,
                metadata='{"b":1.00,"a":"x, \\"y\\""}' if k % 2 else None,
            )
            for k in range(count)
        ]
    )


def test_summary_days(folder: Any, event: Maker) -> None:
    """Without a view, the CSV of the summary has its days."""
    _busy(folder, event)
    expected = [_texts(row) for row in folder.data("summary")["daily"]]
    assert _table(folder.ask(SUMMARY, accept="text/csv")) == expected
    assert expected[-1]["credits"] == "5"


@pytest.mark.parametrize("view", ["daily", "weekly", "monthly"])
@pytest.mark.parametrize("query", ["activity_view={view}", "range=90d&activity%5Fview={view}"])
def test_summary_buckets(folder: Any, event: Maker, view: str, query: str) -> None:
    """With a view in the query, even the default one, the CSV has the view's buckets."""
    _busy(folder, event)
    asked = query.format(view=view)
    expected = folder.data("summary", asked)["activity"]["buckets"]
    assert _table(folder.ask(SUMMARY, asked, accept="text/csv")) == [_texts(row) for row in expected]


@pytest.mark.parametrize("query", ["", "activity_view=monthly"])
def test_languages(folder: Any, event: Maker, query: str) -> None:
    """The CSV by language has the languages and a last row for untagged credits; credits and shares add up."""
    _busy(folder, event)
    answer = folder.data("by-language", query)
    *rows, untagged = _table(folder.ask(LANGUAGES, query, accept="text/csv"))
    assert rows == [_texts(row) for row in answer["languages"]]
    assert untagged["display_name"] == "Untagged"
    assert untagged["credits"] == str(answer["untagged_credits"])
    assert {untagged[name] for name in ("locale_code", "characters", "corrected", "lines")} == {""}
    assert sum(int(row["credits"]) for row in [*rows, untagged]) == answer["total_credits"]
    assert sum(float(row["share"]) for row in [*rows, untagged]) == pytest.approx(1, abs=1e-5)


def test_no_untagged_row_without_untagged_credits(folder: Any, event: Maker) -> None:
    """Without untagged credits there is no last row; without any data there is only the header."""
    folder.publish()
    body = folder.ask(ACTIVITY, accept="text/csv").body
    assert body == (
        b"\xef\xbb\xbfid,timestamp,action,kind,resource_type,resource_id,resource_name,user_id,user_name,metadata,ip\r\n"
    )
    folder.publish([event(folder.now, credits=5, languages=[{"locale": "nb", "characters": 1}])])
    assert [row["display_name"] for row in _table(folder.ask(LANGUAGES, accept="text/csv"))] == ["Norwegian Bokmål"]


def _flat(event: Any) -> dict[str, str]:
    nested = {f"resource_{name}": value for name, value in event["resource"].items()}
    user = {f"user_{name}": value for name, value in (event["user"] or {"id": None, "name": None}).items()}
    plain = {name: event[name] for name in ("id", "timestamp", "action", "kind", "ip")}
    return _texts(plain | nested | user)


def test_feed(folder: Any, event: Maker) -> None:
    """The CSV of the feed is the page, with nested fields as columns and metadata as the exact JSON text."""
    _busy(folder, event)
    rows = _table(folder.ask(ACTIVITY, "limit=10", accept="text/csv"))
    metadata = [row.pop("metadata") for row in rows]
    assert rows == [_flat(row) for row in folder.data("activity", "limit=10")]
    assert metadata == ["", '{"b":1.00,"a":"x, \\"y\\""}'] * 5


def test_links(folder: Any, event: Maker) -> None:
    """`Link` leads through the pages in both directions, with the other parameters as sent, without unknown ones."""
    _busy(folder, event)
    app, sent = folder.app(), "x=%C3%A9<>%22&limit=15&timezone=Asia%2FKathmandu&&c%75rsor={cursor}"
    pages, query = [], sent.replace("&c%75rsor={cursor}", "")
    while True:
        reply = folder.ask(ACTIVITY, query, app, accept="text/csv")
        links = {name: urlsplit(link["url"]) for name, link in httpx.Response(200, headers=reply.headers).links.items()}
        pagination = folder.ask(ACTIVITY, query, app).json()["pagination"]
        assert set(links) == {name for name in ("next", "prev") if pagination[name]}
        for name, link in links.items():
            assert (link.scheme, link.netloc, link.path) == ("", "", ACTIVITY)
            expected = f"limit=15&timezone=Asia%2FKathmandu&cursor={pagination[name]}"
            assert link.query == expected
        pages.append([row["id"] for row in _table(reply)])
        if "next" not in links:
            break
        query = sent.format(cursor=pagination["next"])
    assert [name for page in pages for name in page] == [f"evt_{k:03}" for k in range(40)]
    back = folder.ask(ACTIVITY, links["prev"].query, app, accept="text/csv")
    assert [row["id"] for row in _table(back)] == pages[-2]


def test_only_pages_have_links(folder: Any, event: Maker) -> None:
    """A feed of one page, the other CSV tables and JSON have no `Link`."""
    _busy(folder, event, 3)
    for path in (SUMMARY, LANGUAGES, ACTIVITY):
        assert "link" not in folder.ask(path, accept="text/csv").headers
    assert "link" not in folder.ask(ACTIVITY, "limit=1").headers


def test_csv_headers(folder: Any, event: Maker) -> None:
    """CSV has a file name and `X-Data-As-Of`; JSON has neither header."""
    _busy(folder, event)
    names = {
        (SUMMARY, ""): "usage-days",
        (SUMMARY, "activity_view=daily"): "usage-buckets",
        (LANGUAGES, ""): "usage-languages",
        (ACTIVITY, ""): "usage-activity",
    }
    for (path, query), name in names.items():
        reply = folder.ask(path, query, accept="text/csv")
        assert reply.headers["content-disposition"] == f'attachment; filename="{name}.csv"'
        assert reply.headers["x-data-as-of"] == "2026-11-24T11:59:00Z"
        assert reply.headers["cache-control"] == "private, no-cache"
    assert not {"content-disposition", "x-data-as-of"} & set(folder.ask(SUMMARY).headers)


def test_json_stays_json(folder: Any, send: Any) -> None:
    """Whoami and every error are JSON, whatever the client accepts."""
    asked = [("authorization", f"Bearer {folder.token}"), ("accept", "text/csv")]
    for path, query, status in ((SUMMARY, b"", 503), (SUMMARY, b"range=1", 422), ("/x", b"", 404), (WHOAMI, b"", 200)):
        reply = send(folder.app(), path, query, asked)
        assert (reply.status, reply.headers["content-type"]) == (status, "application/json")
    folder.publish()
    assert folder.ask(SUMMARY, accept="image/png").json()["data"]


def test_crlf(folder: Any, event: Maker) -> None:
    """Every line ends in CR LF, including the last one."""
    _busy(folder, event)
    body = folder.ask(SUMMARY, accept="text/csv").body
    assert body.endswith(b"\r\n")
    assert body.count(b"\n") == body.count(b"\r\n") == 31


def test_numbers_stay_numbers(folder: Any, event: Maker) -> None:
    """Numbers get no apostrophe and no quotes."""
    _busy(folder, event)
    for line in folder.ask(SUMMARY, accept="text/csv").body.splitlines()[1:]:
        assert not set(line) - set(b"0123456789,-")


def test_tags_of_forms(folder: Any, event: Maker) -> None:
    """JSON and each CSV table have different tags; compressed or not, the weak tag is the same."""
    _busy(folder, event)
    app = folder.app()
    tags = {
        (accept, query): {
            folder.ask(SUMMARY, query, app, accept=accept, accept_encoding=encoding).headers["etag"]
            for encoding in ("identity", "gzip")
        }
        for accept in ("application/json", "text/csv")
        for query in ("", "activity_view=daily")
    }
    assert all(len(found) == 1 for found in tags.values())
    assert tags["application/json", ""] == tags["application/json", "activity_view=daily"]
    assert len(set.union(*tags.values())) == 3


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
def test_unchanged(folder: Any, event: Maker, monkeypatch: pytest.MonkeyPatch, accept: str) -> None:
    """A 304 has the tag and the caching headers, but nothing about a body; no form is made."""
    _busy(folder, event)
    tag = folder.ask(SUMMARY, accept=accept).headers["etag"]

    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(csv_tables, "write", fail)
    monkeypatch.setattr(compression, "begin", fail)
    reply = folder.ask(SUMMARY, accept=accept, accept_encoding="gzip", if_none_match=tag)
    assert (reply.status, reply.body) == (304, b"")
    assert reply.headers == {
        "etag": tag,
        "cache-control": "private, no-cache",
        "vary": "Authorization, X-Workspace-Id, Accept, Accept-Encoding",
        "x-request-id": reply.headers["x-request-id"],
    }
    other = "text/csv" if accept == "application/json" else "*/*"
    monkeypatch.undo()
    assert folder.ask(SUMMARY, accept=other, if_none_match=tag).status == 200


@pytest.mark.parametrize("accept", ["application/json", "text/csv"])
@pytest.mark.parametrize("path", [SUMMARY, LANGUAGES, ACTIVITY])
def test_gzip(folder: Any, event: Maker, send: Any, path: str, accept: str) -> None:
    """Unpacked, a compressed body is the plain one but for `meta`; HEAD has the same headers."""
    _busy(folder, event)
    app, query = folder.app(), "limit=30" if path == ACTIVITY else "activity_view=monthly"
    asked = [("authorization", f"Bearer {folder.token}"), ("accept", accept), ("accept-encoding", "gzip")]
    plain = folder.ask(path, query, app, accept=accept)
    for _ in range(2):
        reply = send(app, path, query.encode(), asked)
        if len(plain.body) < 1000:
            assert "content-encoding" not in reply.headers
            continue
        assert reply.headers["content-encoding"] == "gzip"
        assert int(reply.headers["content-length"]) == len(reply.body) < len(plain.body)
        body = gzip.decompress(reply.body)
        if accept == "text/csv":
            assert body == plain.body
        else:
            was, meta = json.loads(plain.body), json.loads(body)["meta"]
            assert body[: -len(json.dumps(meta))] == plain.body[: -len(json.dumps(was["meta"]))]
            assert meta["request_id"] == reply.headers["x-request-id"] != was["meta"]["request_id"]
        head = send(app, path, query.encode(), asked, "HEAD")
        assert head.headers | {"x-request-id": ""} == reply.headers | {"x-request-id": ""}
        assert head.body == b""


def test_small_bodies_and_errors_are_not_compressed(folder: Any) -> None:
    """A body that fits into one packet, and every error, is not compressed."""
    folder.publish()
    for path, query in ((WHOAMI, ""), (LANGUAGES, ""), (SUMMARY, "range=1"), ("/nothing", "")):
        assert "content-encoding" not in folder.ask(path, query, accept_encoding="gzip").headers


def test_forms_are_made_once(folder: Any, event: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """CSV is written and a body compressed at the first request that prefers it, and not for other requests."""
    _busy(folder, event)
    made: list[str] = []

    def count(module: Any, name: str) -> None:
        real = getattr(module, name)

        def counted(*values: Any) -> Any:
            made.append(name)
            return real(*values)

        monkeypatch.setattr(module, name, counted)

    count(csv_tables, "write")
    count(compression, "begin")
    app = folder.app()
    folder.ask(SUMMARY, app=app)
    assert made == []
    for accept in ("*/*", "text/csv", "*/*", "text/csv"):
        folder.ask(SUMMARY, "range=90d", app, accept=accept, accept_encoding="gzip")
    assert made == ["begin", "write", "begin"]


def test_forms_are_within_the_memory(folder: Any, event: Maker) -> None:
    """The bytes of forms count against the limit of the cache, as answers do."""
    _busy(folder, event)
    app = folder.app()
    folder.ask(SUMMARY, "range=90d", app)
    recent = app._read_path._answers._recent  # noqa: SLF001 - its size is seen nowhere else
    size = recent.size_bytes
    table = folder.ask(SUMMARY, "range=90d", app, accept="text/csv")
    assert recent.size_bytes - size >= len(table.body)
    size = recent.size_bytes
    compressed = folder.ask(SUMMARY, "range=90d", app, accept_encoding="gzip")
    assert recent.size_bytes - size >= len(compressed.body) - 200
