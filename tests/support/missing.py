"""Skip tests that need a tool which not every machine has."""

import os
from typing import NoReturn

import pytest


def skip(reason: str) -> NoReturn:
    """Skip a test because a tool is missing; fail it with `SKIPS_FAIL`, as in CI, where all tools are."""
    (pytest.fail if os.environ.get("SKIPS_FAIL") else pytest.skip)(reason)
