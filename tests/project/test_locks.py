"""requirements.lock and requirements-demo.lock: what they pin, and that they agree."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, Final, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.project import ROOT

PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
GROUPS: Final[dict[str, list[Any]]] = PROJECT["dependency-groups"]
HEAVY: Final = {"ziglang", "marimo", "playwright", "polars", "deltalake", "kubernetes-validate"}


class Pin(NamedTuple):
    """A version in a lock, with the hashes of its files."""

    name: str
    version: str
    hashes: frozenset[str]


def pins(lock: Path) -> set[Pin]:
    """Return what a lock pins; a package has several versions if these are for different releases of Python."""
    found = set()
    for line in lock.read_text("utf-8").replace("\\\n", "").splitlines():
        requirement, *hashes = re.split(r" +--hash=", line.rstrip())
        pinned = Requirement(requirement)
        (version,) = pinned.specifier
        assert version.operator == "=="
        assert hashes
        found.add(Pin(canonicalize_name(pinned.name), version.version, frozenset(hashes)))
    return found


ALL: Final = pins(ROOT / "requirements.lock")
DEMO: Final = pins(ROOT / "requirements-demo.lock")


def required(*groups: str) -> list[Requirement]:
    """Return what pyproject.toml requires directly: of the package, and in some groups without those they include."""
    texts = [*PROJECT["project"]["dependencies"], *(text for group in groups for text in GROUPS[group])]
    return [Requirement(text) for text in texts if isinstance(text, str)]


def test_every_requirement_is_pinned() -> None:
    """`make lock` was run after pyproject.toml changed: each lock has what it is for, in an allowed version."""
    for lock, groups in ((ALL, ("demo", "dev")), (DEMO, ("demo",))):
        for requirement in required(*groups):
            versions = [pin.version for pin in lock if pin.name == canonicalize_name(requirement.name)]
            assert versions, requirement
            assert all(map(requirement.specifier.contains, versions)), requirement
    assert {"include-group": "demo"} in GROUPS["dev"]


def test_the_demo_is_light_and_the_same() -> None:
    """The demo's lock is a part of the other, with the same versions and hashes, and without the large tools."""
    assert DEMO < ALL
    assert not {pin.name for pin in DEMO} & HEAVY
    assert {pin.name for pin in ALL} >= HEAVY


def test_the_demo_imports_only_what_is_installed_for_it() -> None:
    """All other tests run where everything is installed, so they would not see that the demo needs another package."""
    trees = [ast.parse(path.read_text("utf-8")) for path in (ROOT / "service/demo").glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    tops = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - {"pipeline", "service"}
    assert tops
    providers = packages_distributions()
    assert {canonicalize_name(name) for top in tops for name in providers[top]} <= {pin.name for pin in DEMO}


def test_locks_name_no_host() -> None:
    """The locks do not say where packages come from."""
    for name in ("requirements.lock", "requirements-demo.lock"):
        assert "//" not in (ROOT / name).read_text("utf-8")
