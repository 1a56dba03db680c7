"""Fixtures: objects in memory, and services that read them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.missing import skip
from tests.support.object_site import Site

Make = Callable[..., Any]


@pytest.fixture(scope="session")
def object_tables() -> ModuleType:
    """Return the module with all that these tests need of an object store."""
    if find_spec("obstore") is None:
        skip("obstore is not installed")
    return import_module("tests.support.object_tables")


@pytest.fixture
def objects(object_tables: ModuleType) -> Any:
    """Return an object store in memory, which refuses everything but reads."""
    return object_tables.ReadOnlyObjects()


@pytest.fixture
def make_replica(object_tables: ModuleType, objects: Any, tmp_path: Path) -> Iterator[Make]:
    """Return a function that makes a service with a cache of its own."""
    with ExitStack() as stack:
        numbers = iter(range(100))
        yield lambda **options: stack.enter_context(
            object_tables.replica(objects, tmp_path / f"cache{next(numbers)}", **options)
        )


@pytest.fixture
def uploads(object_tables: ModuleType, objects: Any) -> Make:
    """Return a function that makes the uploads of a folder."""
    return lambda folder: object_tables.ObjectTables(folder, objects.store_object, objects.delete_object)


@pytest.fixture
def site(folder: Any, event: Make, uploads: Make, make_replica: Make, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return a site whose workspace used 1 credit."""
    folder.publish([event(folder.now, credits=1)])
    tables = uploads(folder.root)
    tables.upload()
    tables.upload_directory()
    return Site(folder, tables, make_replica(), monkeypatch)
