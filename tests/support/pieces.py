"""An executor that runs each piece of work several times, and compares that with the contract in `load/piece`."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from pickle import dumps, loads
from typing import Any, Final, TypeVar

import msgspec
import pytest

from pipeline import run
from pipeline.erasure import erase
from pipeline.load import pool, repair
from pipeline.storage.folder import FolderStore

_COORDINATORS: Final = ("state.sqlite", "run.lock")  # with these begin the names of files that no piece may write
_NAME: Final = "<attempt>"

_Result = TypeVar("_Result")


class Attempt(msgspec.Struct):
    """What came of a piece: its result and its files, with `<attempt>` in place of the attempt's name."""

    result: bytes
    files: dict[str, bytes]
    sizes: dict[str, int]  # of the files that the result names


class CheckedPieces(Executor):
    """Runs each piece alone, and then at once in two threads and in another process.

    Args:
        root: the data folder.
        processes: runs pieces in other processes.

    Attributes:
        seen: how often each function was run, for pieces that wrote something.
    """

    def __init__(self, root: Path, processes: Executor) -> None:
        self._root, self._processes = root, processes
        self.seen: Counter[str] = Counter()

    def map(self, fn: Callable[..., _Result], *iterables: Iterable[Any], **_: Any) -> Iterator[_Result]:
        """Run and compare each piece of work, and yield the result of the first attempt at each."""
        for arguments in zip(*iterables, strict=False):
            yield self._piece(fn, arguments)

    def _piece(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        call = loads(dumps(partial(function, *arguments)))
        before = self._files()
        result = call()
        (first,) = self._attempts(before, [result])
        assert first.sizes == {name: len(content) for name, content in first.files.items()}, "sizes"
        before = self._files()
        with ThreadPoolExecutor(2) as threads:
            futures = [executor.submit(call) for executor in (threads, threads, self._processes)]
            results = [future.result() for future in futures]
        assert self._attempts(before, results) == [first] * len(results), "another attempt is not the same"
        self.seen[function.args[0].__name__ if isinstance(function, partial) else ""] += bool(first.files)
        return loads(dumps(result))

    def _files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self._root).as_posix(): path.read_bytes()
            for path in sorted(self._root.rglob("*"))
            if path.is_file() and not path.name.startswith(_COORDINATORS)
        }

    def _attempts(self, before: dict[str, bytes], results: list[Any]) -> list[Attempt]:
        """Return what some attempts wrote, after asserting that they changed nothing else."""
        after = self._files()
        assert {uri: after.get(uri) for uri in before} == before, "it changed files that it did not make"
        plain = [msgspec.json.decode(msgspec.json.encode(result)) for result in results]
        written: dict[str, dict[str, bytes]] = {}
        for uri in after.keys() - before.keys():
            folders = uri.split("/")
            assert folders[0] == "staging", f"it wrote {uri}"
            assert len(folders) > 3, f"it wrote {uri}"
            written.setdefault(folders[2], {})["/".join(folders[3:])] = after[uri]
        found = []
        for result in plain:
            encoded, sizes = msgspec.json.encode(result, order="deterministic"), _named(result)
            attempts = {uri.split("/")[2] for uri in sizes}
            assert len(attempts) <= 1, "it named files of several attempts"
            name = attempts.pop() if attempts else ""
            found.append(
                Attempt(
                    encoded.replace(name.encode(), _NAME.encode()) if name else encoded,
                    written.pop(name, {}),
                    {"/".join(uri.split("/")[3:]): size for uri, size in sizes.items()},
                )
            )
        assert not written, f"it wrote what its result does not name: {written.keys()}"
        return found


def _named(value: Any) -> dict[str, int]:
    """Return the sizes of all staged files that a result names."""
    if isinstance(value, dict):
        if value.keys() == {"uri", "bytes"}:
            return {value["uri"]: value["bytes"]}
        if value.get("kind") == "replace":
            return {value["staged"]: value["size"]}
        value = list(value.values())
    found: dict[str, int] = {}
    if isinstance(value, list):
        for item in value:
            found |= _named(item)
    return found


@contextmanager
def checked(store: FolderStore) -> Iterator[CheckedPieces]:
    """Check all pieces of the commands that the block runs in this process."""
    with pool.executor(2) as processes, pytest.MonkeyPatch.context() as patch:
        pieces = CheckedPieces(store.root, processes)

        @contextmanager
        def executor(_: int) -> Iterator[Executor]:
            yield pieces

        for module in (run, erase, repair):
            patch.setattr(module, "executor", executor)
        yield pieces
