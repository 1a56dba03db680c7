"""Run a selection of tests against a copy of the project in which one module is changed.

The copy is in a temporary folder, so that the processes that tests start see the change too, and the tree stays as it
is. Each run is a process forked from one that has imported the libraries, so it starts in milliseconds.
"""

import gc
import importlib
import importlib.util
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Final

from tests.support.project import ROOT

_COPIED: Final = ("pipeline", "service", "tests", "docs", "pyproject.toml", "README.md", "data/README.md")
_OURS: Final = ("pipeline", "service", "tests")
_LIBRARIES: Final = (
    *(
        "_hypothesis_pytestplugin",
        "_pytest.assertion.rewrite",
        "hypothesis.strategies",
        "hypothesis.internal.conjecture.engine",
        "pytest",
    ),
    *("duckdb", "numpy", "polars", "pyarrow.compute", "pyarrow.dataset", "pyarrow.parquet"),
    *("filelock", "httpx", "jwt", "limits.aio.storage", "litestar", "msgspec", "prometheus_client", "rich.progress"),
    *("structlog.testing", "yaml"),
)
_BROKEN: Final = 99  # exit code: the module cannot be imported
_FORKING: Final = multiprocessing.get_context("fork")


class Outcome(Enum):
    """What became of a mutant."""

    KILLED = "killed"  # a test failed
    STUCK = "stuck"  # the tests took far longer than they should
    SURVIVED = "survived"  # all tests passed
    BROKEN = "broken"  # the module cannot be imported, which says nothing about the tests


class Bench:
    """A copy of the project.

    Args:
        root: the folder of the copy.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, module: str, source: str, tests: Sequence[str], seconds: float) -> Outcome:
        """Run tests against a changed module until the first one fails.

        Args:
            module: the path of the module in the project.
            source: its changed source.
            tests: files or names of tests, as for pytest; the quickest first.
            seconds: how long the tests may take.
        """
        path = self.root / module
        original = path.read_text("utf-8")
        path.write_text(source, "utf-8")
        compiled = Path(importlib.util.cache_from_source(str(path)))
        compiled.unlink(missing_ok=True)  # from another source, perhaps of the same time and size
        process = _FORKING.Process(target=_test, args=(self.root, module, tests))
        try:
            process.start()
            process.join(seconds)
            code = process.exitcode
        finally:
            with suppress(ProcessLookupError):  # whatever the tests started is in the same group
                os.killpg(process.pid or 0, signal.SIGKILL)
            process.join()
            path.write_text(original, "utf-8")
            compiled.unlink(missing_ok=True)
        return {0: Outcome.SURVIVED, _BROKEN: Outcome.BROKEN, None: Outcome.STUCK}.get(code, Outcome.KILLED)

    def time(self, module: str, tests: Sequence[str]) -> float:
        """Return the seconds that the tests of a module take without a change.

        Raises:
            RuntimeError: they fail, so they would kill every mutant.
        """
        started = time.monotonic()
        if self.run(module, (self.root / module).read_text("utf-8"), tests, 600) is not Outcome.SURVIVED:
            said = (self.root / "output").read_text("utf-8", "replace")
            raise RuntimeError(f"the tests of {module} fail without a change:\n{said[-3000:]}")
        return time.monotonic() - started


@contextmanager
def copied() -> Iterator[Bench]:
    """Yield a copy of the project. It is removed in the end, also if this process is terminated."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # a process that forks must have no other threads
    for name in _LIBRARIES:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        root = Path(folder)
        for name in _COPIED:
            (root / name).parent.mkdir(exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copyfile(ROOT / name, root / name)
        gc.freeze()  # what is imported by now is no garbage; searching it would take each run longer than the tests
        try:
            yield Bench(root)
        finally:
            gc.unfreeze()


def _test(root: Path, module: str, tests: Sequence[str]) -> None:
    """Run the tests in this process, which was forked for them."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with (root / "output").open("wb") as output:
        for descriptor in (1, 2):
            os.dup2(output.fileno(), descriptor)
    os.chdir(root)
    os.environ.update(PYTHONPATH=str(root), PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    sys.path[:] = [str(root), *(path for path in sys.path if path not in {"", str(ROOT)})]
    for name in [name for name in sys.modules if name.split(".")[0] in _OURS]:
        del sys.modules[name]
    importlib.invalidate_caches()
    try:
        importlib.import_module(module.removesuffix(".py").replace("/", "."))
    except Exception:  # noqa: BLE001 - whatever a change leads to
        os._exit(_BROKEN)
    os._exit(_pytest(root, tests))


def _pytest(root: Path, tests: Sequence[str]) -> int:
    import hypothesis  # noqa: PLC0415 - imported before the fork
    import pytest  # noqa: PLC0415

    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)  # one example that fails is enough
    hypothesis.settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        deadline=None,
        phases=phases,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    options = ["-x", "-p", "no:cacheprovider", "-p", "_hypothesis_pytestplugin", "--hypothesis-profile=mutants"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # the plug-in was imported before the fork
    return int(pytest.main([*options, f"--basetemp={root / 'tmp'}", *tests]))
