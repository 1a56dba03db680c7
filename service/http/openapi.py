"""The OpenAPI 3.1 document, made from the rules of the parameters and the structs of the answers, and its page.

It is not derived from the signatures of the handlers, which do not show the bounds of parameters, the errors or `meta`.
The page is plain HTML, because it has to work where no script can be fetched.
"""

from collections.abc import Iterable
from html import escape
from importlib.metadata import version
from typing import Any, Final

import msgspec

from pipeline.contract.actions import ACTIONS
from service.api.activity import Pagination
from service.api.envelope import Meta
from service.api.parameters import Rule, rules
from service.api.routes import ENDPOINTS, LIVE, METRICS, READY, SCHEMA, SCHEMA_PAGE, Endpoint
from service.auth.authentication import WORKSPACE_HEADER
from service.errors import ApiError, CredentialError, ErrorBody

_REFERENCE: Final = "#/components/schemas/{name}"

_IDENTIFIED: Final = {"X-Request-Id": "The same as `meta.request_id`."}
_CACHING: Final = {
    **_IDENTIFIED,
    "ETag": "For `If-None-Match`; it differs between CSV and JSON.",
    "Cache-Control": "`private, no-cache`: keep the answer, and ask each time whether it is still current.",
    "Vary": "The request headers that an answer depends on.",
}
_COMPRESSED: Final = {"Content-Encoding": "`gzip` if the request accepts it and the body is long enough."}
_OF_CSV: Final = {
    "Content-Disposition": "With CSV: a name for the file.",
    "X-Data-As-Of": "With CSV, which has no `meta`: `data_as_of`.",
}
_LINKED: Final = {"Link": "With CSV: the pages that JSON has in `pagination`, as `next` and `prev` (RFC 8288)."}
# With a limited API key; open routes are not limited.
_LIMIT_HEADERS: Final = {
    name: {"schema": {"type": kind}, "description": description}
    for name, kind, description in (
        ("X-RateLimit-Limit", "integer", "Answers that a limited API key may have in a minute of UTC."),
        ("X-RateLimit-Remaining", "integer", "How many of these answers are left."),
        ("X-RateLimit-Reset", "integer", "When the next minute begins, in Unix seconds."),
        ("RateLimit-Policy", "string", 'The limit as the IETF draft writes it: `"key";q=100;w=60`.'),
        ("RateLimit", "string", 'What is left, and for how many seconds: `"key";r=99;t=42`.'),
    )
}
_REFUSED: Final = (
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "VALIDATION_ERROR",
    "RATE_LIMITED",
    "INTERNAL_ERROR",
    "SERVICE_UNAVAILABLE",
)
_RETRIED: Final = frozenset({429, 500, 503})  # statuses after which a client sends the same request again
_OPEN: Final = {
    LIVE: ("Whether the process answers", False),
    READY: ("Whether figures can be served", True),
    METRICS: ("Counts of requests and the age of the data, for Prometheus", False),
    SCHEMA_PAGE: ("This document as a page", False),
    SCHEMA: ("This document", False),
}


def document(actions: tuple[str, ...] = ACTIONS, prefix: str = "") -> dict[str, Any]:
    """Return the OpenAPI document where the last run accepted these actions, and clients see a prefix."""
    shapes = [ErrorBody, Meta, Pagination, *(endpoint.data for endpoint in ENDPOINTS)]
    schemas, components = msgspec.json.schema_components(shapes, ref_template=_REFERENCE)
    by_shape = dict(zip(map(repr, shapes), schemas, strict=True))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Workspace usage",
            "version": version("workspace-usage"),
            "description": "What each workspace used, in which language, when, and who did what, on its own calendar.",
        },
        "servers": [{"url": prefix or "/"}],
        "paths": {
            **{endpoint.path: {"get": _operation(endpoint, by_shape, actions)} for endpoint in ENDPOINTS},
            **{path: {"get": _open_operation(path, *about)} for path, about in _OPEN.items()},
        },
        "components": {
            "schemas": components,
            "securitySchemes": {
                "api_key": _bearer("API key", "`op_live_` and 32 letters or digits."),
                "session": _bearer(
                    "JWT", "A session token, signed with RS256 or ES256 by a key of the identity provider."
                ),
            },
            "responses": {error.code: _error(error) for error in _documented(CredentialError, ApiError)},
        },
    }


def page(actions: tuple[str, ...] = ACTIONS, prefix: str = "") -> str:
    """Return the document as a readable page."""
    described = document(actions, prefix)
    sections = []
    for path, item in described["paths"].items():
        operation = item["get"]
        rows = "".join(
            f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{escape(parameter['in'])}</td>"
            f"<td>{escape(_bounds(parameter['schema']))}</td><td>{escape(parameter['description'])}</td></tr>"
            for parameter in operation.get("parameters", ())
        )
        table = f"<table><tr><th>name<th>in<th>values<th>meaning</tr>{rows}</table>" if rows else ""
        statuses = ", ".join(operation["responses"])
        sections.append(
            f"<h2>GET {escape(prefix + path)}</h2>"
            f"<p>{escape(operation['summary'])}.</p>{table}<p>Answers: {statuses}</p>"
        )
    info = described["info"]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        '<meta name="viewport" content="width=device-width">'
        # Relative, because a proxy may serve everything below a path of its own.
        '<link rel="stylesheet" href="schema/schema.css"><link rel="icon" href="schema/icon.svg">'
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1><p>{escape(info['description'])}</p>"
        f'<p>For programs: <a href="{SCHEMA.removeprefix("/")}">{escape(prefix)}{SCHEMA}</a> (OpenAPI 3.1)</p>'
        f"{''.join(sections)}</html>"
    )


def _operation(endpoint: Endpoint, by_shape: dict[str, Any], actions: tuple[str, ...]) -> dict[str, Any]:
    properties = {"data": by_shape[repr(endpoint.data)], "meta": by_shape[repr(Meta)]}
    if endpoint.paginated:
        properties["pagination"] = by_shape[repr(Pagination)]
    body = {"type": "object", "properties": properties, "required": list(properties)}
    header = {
        "name": WORKSPACE_HEADER,
        "in": "header",
        "schema": {"type": "string", "format": "uuid"},
        "description": "The workspace that the request is about. With an API key, it must be the workspace of the key. "
        "With a session, its user must be an active member; a member of a single workspace may leave it out.",
    }
    return {
        "operationId": endpoint.path.removeprefix("/api/v1/").replace("/", "_").replace("-", "_"),
        "summary": endpoint.summary,
        "security": [{"api_key": []}, {"session": []}],
        "parameters": [*map(_parameter, rules(endpoint.parameters, actions)), header],
        "responses": {
            "200": {
                "description": "OK",
                "headers": _headers(
                    _CACHING
                    | _COMPRESSED
                    | (_OF_CSV if endpoint.csv_tables else {})
                    | (_LINKED if endpoint.csv_tables and endpoint.paginated else {})
                )
                | _LIMIT_HEADERS,
                "content": {"application/json": {"schema": body}, **_csv(endpoint)},
            },
            "304": {
                "description": "Unchanged since the answer whose `ETag` is in `If-None-Match`; not counted.",
                "headers": _headers(_CACHING) | _LIMIT_HEADERS,
            },
            **_refusals(_REFUSED),
        },
    }


def _bearer(form: str, description: str) -> dict[str, str]:
    return {"type": "http", "scheme": "bearer", "bearerFormat": form, "description": description}


def _open_operation(path: str, summary: str, may_be_unavailable: bool) -> dict[str, Any]:
    media_type = {SCHEMA_PAGE: "text/html", METRICS: "text/plain"}.get(path, "application/json")
    refused = ["METHOD_NOT_ALLOWED", "INTERNAL_ERROR", *(["SERVICE_UNAVAILABLE"] if may_be_unavailable else [])]
    return {
        "operationId": path.strip("/").replace("/", "_").replace(".", "_"),
        "summary": summary,
        "responses": {"200": {"description": "OK", "content": {media_type: {}}}, **_refusals(refused)},
    }


def _headers(descriptions: dict[str, str]) -> dict[str, Any]:
    return {name: {"schema": {"type": "string"}, "description": text} for name, text in descriptions.items()}


def _csv(endpoint: Endpoint) -> dict[str, Any]:
    if not endpoint.csv_tables:
        return {}
    columns = ", or with an `activity_view`: ".join(", ".join(csv_table.columns) for csv_table in endpoint.csv_tables)
    return {"text/csv": {"schema": {"type": "string", "description": f"RFC 4180, with the columns {columns}."}}}


def _parameter(rule: Rule) -> dict[str, Any]:
    about = {"name": rule.name, "in": "query", "schema": rule.schema, "description": rule.description}
    return {**about, "style": "form", "explode": False} if rule.schema["type"] == "array" else about


def _refusals(codes: Iterable[str]) -> dict[str, Any]:
    statuses = {error.code: str(error.status) for error in _documented(CredentialError, ApiError)}
    return {statuses[code]: {"$ref": f"#/components/responses/{code}"} for code in codes}


def _documented(*bases: type[ApiError]) -> list[type[ApiError]]:
    return [kind for base in bases for kind in base.__subclasses__() if hasattr(kind, "code")]


def _error(error: type[ApiError]) -> dict[str, Any]:
    headers = _headers(_IDENTIFIED)
    headers |= {name.decode().title(): {"schema": {"type": "string"}} for name, _ in error.headers}
    if error.status in _RETRIED:
        headers["Retry-After"] = {
            "schema": {"type": "integer", "minimum": 1, "maximum": 60},
            "description": "For how many seconds to wait before the same request is sent again.",
        }
    if not issubclass(error, CredentialError):
        headers |= _LIMIT_HEADERS
    return {
        "description": error.message,
        "headers": headers,
        "content": {"application/json": {"schema": {"$ref": _REFERENCE.format(name="ErrorBody")}}},
    }


def _bounds(schema: dict[str, Any]) -> str:
    values = schema.get("items", schema)
    words = [" | ".join(values["enum"])] if "enum" in values else [str(schema.get("format", schema["type"]))]
    if "minimum" in schema:
        words.append(f"{schema['minimum']} to {schema['maximum']}")
    if "default" in schema:
        words.append(f"(default {schema['default']})")
    return " ".join(words)
