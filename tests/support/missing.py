"""Skip tests that need a tool that some machines lack."""

import os
from typing import NoReturn

import pytest


def skip(reason: str) -> NoReturn:
    """Skip a test because a tool is missing. With `SKIPS_FAIL`, as in CI, where no tool may be missing, fail it."""
    (pytest.fail if os.environ.get("SKIPS_FAIL") else pytest.skip)(reason)
