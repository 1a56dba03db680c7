"""The OpenAPI document says what the service does."""

from typing import Any

ERRORS = {"401", "403", "404", "405", "422", "500", "503"}


def _document(house: Any, send: Any) -> Any:
    reply = send(house.app(), "/schema/openapi.json")
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    return reply.json()


def test_parameters(house: Any, send: Any) -> None:
    """Enums, bounds and defaults of every parameter are in the document."""
    document = _document(house, send)
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
    assert "default" not in languages["activity_view"]
    assert summary["timezone"]["default"] == "UTC"
    assert activity["limit"] == {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
    assert len(activity["type"]["enum"]) == 6
    assert set(activity) == {"range", "type", "user_id", "limit", "cursor", "timezone", "X-Workspace-Id"}
    assert set(whoami) == {"X-Workspace-Id"}


def test_errors_and_security(house: Any, send: Any) -> None:
    """Every API operation needs the bearer credential and names its errors; the open routes need none."""
    document = _document(house, send)
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


def test_references_resolve(house: Any, send: Any) -> None:
    """Whatever the document refers to is in it."""
    document = _document(house, send)

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                target = document
                for step in node["$ref"].removeprefix("#/").split("/"):
                    target = target[step]
            for value in node.values():
                visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    visit(document)


def test_answers_have_the_documented_keys(house: Any, send: Any, event: Any) -> None:
    """The keys of real answers are those of the document, one by one."""
    house.publish([event(house.now, credits=3, languages=[{"locale": "de", "characters": 5}], metadata="{}")])
    document = _document(house, send)
    for path, item in document["paths"].items():
        if path.startswith("/api/"):
            reply = house.ask(path)
            schema = item["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            _check_keys(reply.json(), schema, document["components"]["schemas"])


def _check_keys(value: Any, schema: dict[str, Any], components: dict[str, Any]) -> None:
    if "$ref" in schema:
        schema = components[schema["$ref"].rsplit("/", 1)[1]]
    elif "anyOf" in schema and value is not None:
        schema = schema["anyOf"][0]
    if "properties" in schema:
        assert set(value) == set(schema["properties"])
        for name, inner in schema["properties"].items():
            _check_keys(value[name], inner, components)
    elif "items" in schema:
        for element in value:
            _check_keys(element, schema["items"], components)


def test_page_needs_nothing_from_elsewhere(house: Any, send: Any) -> None:
    """The page is HTML, lists the operations and loads nothing."""
    reply = send(house.app(), "/schema")
    text = reply.body.decode()
    assert reply.headers["content-type"].startswith("text/html")
    assert all(f"GET {path}" in text for path in _document(house, send)["paths"])
    assert not any(word in text for word in ("http://", "https://", "<script", "src="))
