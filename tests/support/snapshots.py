"""Copies of a data folder as a kill before each operation of a command would leave it, from one run of the command.

A killed process leaves its files as they are at that moment. The crash tests assert that a copy equals what a process
leaves that is killed at the same operation.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.data_folder import DataFolder
from tests.support.victim import replace_operations


def snapshots(folder: DataFolder, root: Path, command: Callable[[], object]) -> list[DataFolder]:
    """Run a command in this process, and return copies of its data folder from before each operation."""
    copies: list[DataFolder] = []

    def copying(operation: Callable[..., Any]) -> Callable[..., Any]:
        def copied(*arguments: Any, **named: Any) -> Any:
            copies.append(copied_with_links(folder, root / f"step-{len(copies) + 1}"))
            return operation(*arguments, **named)

        return copied

    with pytest.MonkeyPatch.context() as patch:
        replace_operations(patch, copying)
        command()
    return copies


def copied_with_links(folder: DataFolder, root: Path) -> DataFolder:
    """Copy a folder. The raw files are links, so that they are those that the ledger knows."""
    shutil.copytree(folder.root, root, ignore=lambda parent, _: {"raw"} if Path(parent) == folder.root else set())
    shutil.copytree(folder.root / "raw", root / "raw", copy_function=os.link)
    return DataFolder(root)
