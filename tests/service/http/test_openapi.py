"""The OpenAPI document agrees with what the service does."""

from typing import Any

ERRORS = {"401", "403", "404", "405", "422", "429", "500", "503"}


def _document(folder: Any, send: Any) -> Any:
    reply = send(folder.app(), "/schema/openapi.json")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    return reply.json()


def test_parameters(folder: Any, send: Any) -> None:
    """Enums, bounds and defaults of every parameter are in the document."""
    document = _document(folder, send)
    assert document["openapi"].startswith("3.1")
    found = {
        path: {parameter["name"]: parameter["schema"] for parameter in item["get"]["parameters"]}
        for path, item in document["paths"].items()
        if path.startswith("/api/")
    }
    summary, languages, activity, whoami = (
        found[f"/api/v1/{path}"] for path in ("usage/summary", "usage/by-language", "usage/activity", "auth/whoami")
    )
    assert summary["range"] == {"type": "string", "enum": ["30d", "60d", "90d"], "default": "30d"}
    assert summary["activity_view"]["default"] == "daily"
    assert summary["include"] == {
        "type": "array",
        "items": {"type": "string", "enum": ["comparison", "pace"]},
        "minItems": 1,
        "uniqueItems": True,
    }
    assert "default" not in languages["activity_view"]
    assert summary["timezone"]["default"] == "UTC"
    assert activity["limit"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert activity["cursor"] == {"type": "string", "minLength": 1}
    assert len(activity["type"]["enum"]) == 6
    assert set(activity) == {"range", "type", "user_id", "limit", "cursor", "timezone", "X-Workspace-Id"}
    assert set(whoami) == {"X-Workspace-Id"}


def test_errors_and_security(folder: Any, send: Any) -> None:
    """Every API operation needs the bearer credential and names its errors; the open routes need none."""
    document = _document(folder, send)
    for path, item in document["paths"].items():
        operation = item["get"]
        if path.startswith("/api/"):
            assert operation["security"] == [{"api_key": []}, {"session": []}]
            assert set(operation["responses"]) >= ERRORS
        else:
            assert "security" not in operation
    schemes = document["components"]["securitySchemes"]
    assert {name: (scheme["scheme"], scheme["bearerFormat"]) for name, scheme in schemes.items()} == {
        "api_key": ("bearer", "API key"),
        "session": ("bearer", "JWT"),
    }


def test_refusals_that_are_retried(folder: Any, send: Any) -> None:
    """Every status after which a client asks again documents `Retry-After`, and details are at most 20."""
    components = _document(folder, send)["components"]
    assert {name for name, response in components["responses"].items() if "Retry-After" in response["headers"]} == {
        *("RATE_LIMITED", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE")
    }
    for response in components["responses"].values():
        wait = response["headers"].get("Retry-After")
        assert wait is None or wait["schema"] == {"type": "integer", "minimum": 1, "maximum": 60}
    assert components["schemas"]["ErrorContent"]["properties"]["details"]["maxItems"] == 20


def test_references_resolve(folder: Any, send: Any) -> None:
    """Every reference of the document leads to a part of it."""
    document, found = _document(folder, send), []

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                target = document
                for step in node["$ref"].removeprefix("#/").split("/"):
                    target = target[step]
                found.append(target)
            for value in node.values():
                visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    visit(document)
    assert len(found) > len(document["paths"])


def test_answers_have_the_documented_keys(folder: Any, send: Any, event: Any) -> None:
    """Real answers have exactly the keys of the document, at every level."""
    folder.publish([event(folder.now, credits=3, languages=[{"locale": "de", "characters": 5}], metadata="{}")])
    document = _document(folder, send)
    for path, item in document["paths"].items():
        if path.startswith("/api/"):
            reply = folder.ask(path)
            schema = item["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            _check_keys(reply.json(), schema, document["components"]["schemas"])
    everything = folder.ask("/api/v1/usage/summary", "include=comparison,pace").json()["data"]
    summary = document["components"]["schemas"]["Summary"]
    _check_keys(everything, summary, document["components"]["schemas"])
    assert set(summary["properties"]) == set(everything)
    assert set(summary["properties"]) - set(summary["required"]) == {"comparison"}


def test_answers_have_the_documented_headers_and_types(folder: Any, send: Any, event: Any) -> None:
    """Real answers have exactly the headers and media types of the document."""
    folder.publish([event(folder.now - k, id=str(k), credits=3, metadata="{}") for k in range(30)])
    document = _document(folder, send)
    limited = {"authorization": f"Bearer {folder.key(rate_limit_per_min=1_000)}"}
    for path, item in document["paths"].items():
        if not path.startswith("/api/"):
            continue
        responses = item["get"]["responses"]
        assert list(responses["200"]["content"]) == ["application/json", *(["text/csv"] if "usage" in path else [])]
        documented, seen = {name.lower() for name in responses["200"]["headers"]}, set()
        for media_type, content in responses["200"]["content"].items():
            for query in ("", "activity_view=daily"):
                reply = folder.ask(path, query, accept=media_type, accept_encoding="gzip", **limited)
                assert reply.headers["content-type"].split(";")[0] == media_type
                seen |= set(reply.headers)
                if media_type == "text/csv":
                    plain = folder.ask(path, query, accept=media_type, **limited).body.decode("utf-8-sig")
                    assert plain.splitlines()[0].replace(",", ", ") in content["schema"]["description"]
        optional = {"content-encoding"}  # only if the body is long enough
        assert documented - optional <= seen - {"content-type", "content-length"} <= documented
        unchanged = folder.ask(path, if_none_match="*", **limited)
        assert set(unchanged.headers) == {name.lower() for name in responses["304"]["headers"]}


def _check_keys(value: Any, schema: dict[str, Any], components: dict[str, Any]) -> None:
    if "$ref" in schema:
        schema = components[schema["$ref"].rsplit("/", 1)[1]]
    elif "anyOf" in schema and value is not None:
        schema = schema["anyOf"][0]
    if "properties" in schema:
        assert set(schema["required"]) <= set(value) <= set(schema["properties"])
        for name, inner in value.items():
            _check_keys(inner, schema["properties"][name], components)
    elif "items" in schema:
        for element in value:
            _check_keys(element, schema["items"], components)


def test_page_needs_nothing_from_elsewhere(folder: Any, send: Any) -> None:
    """The page is HTML, lists the operations and loads nothing."""
    reply = send(folder.app(), "/schema")
    text = reply.body.decode()
    assert reply.headers["content-type"].startswith("text/html")
    assert all(f"GET {path}" in text for path in _document(folder, send)["paths"])
    assert not any(word in text for word in ("http://", "https://", "<script", "src="))


def test_rate_limits(folder: Any, send: Any) -> None:
    """The document has 429 and the headers of a limited key, exactly as they are sent."""
    folder.publish()
    headers = [("authorization", f"Bearer {folder.key(rate_limit_per_min=1)}")]
    document, app = _document(folder, send), folder.app()
    for status in ("200", "429"):
        reply = send(app, "/api/v1/usage/summary", headers=headers)
        response = document["paths"]["/api/v1/usage/summary"]["get"]["responses"][status]
        if "$ref" in response:
            response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
        documented = {name.lower() for name in response["headers"]}
        assert reply.status == int(status)
        assert documented | {"content-type", "content-length", "cache-control", "vary"} >= set(reply.headers)
        assert {name for name in reply.headers if "ratelimit" in name or name == "retry-after"} <= documented
