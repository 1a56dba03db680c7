"""What `--json` prints."""

from typing import Any

from pipeline.streams import show


def show_json(value: Any) -> None:
    """Print a value as one JSON object, indented."""
    import msgspec

    show(msgspec.json.format(msgspec.json.encode(value)).decode())


def show_json_line(value: Any) -> None:
    """Print a value as one JSON object on a line."""
    import msgspec

    show(msgspec.json.encode(value).decode())
