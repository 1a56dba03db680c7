"""The credentials of a location that has its own, from the environment of the process that uses them.

Reads the variables that begin as the location says, such as `USAGE_RAW_ACCESS_KEY_ID`; writes nothing. A location
without its own has those of AWS, which obstore finds by itself.
"""

import os
from collections.abc import Callable
from typing import Any, Final

from pipeline.contract.location import Location
from pipeline.contract.object_errors import AccessError

AWS: Final = "AWS_"


def variables(location: Location) -> str:
    """Return the beginning of the names of the variables that have the credentials of a location."""
    return location.credentials or AWS


def provider(location: Location) -> Callable[[], dict[str, Any]] | None:
    """Return what gives obstore the credentials of a location; None if they are those of AWS.

    Raises:
        AccessError: this process has none.
    """
    if not location.credentials:
        return None
    values = [os.environ.get(location.credentials + name) for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")]
    if not all(values):
        names = f"{location.credentials}ACCESS_KEY_ID and {location.credentials}SECRET_ACCESS_KEY"
        raise AccessError(f"{names} are not set on this machine, and {location.url} needs them")
    found = {
        "access_key_id": values[0],
        "secret_access_key": values[1],
        "token": os.environ.get(f"{location.credentials}SESSION_TOKEN") or None,
        "expires_at": None,
    }
    return lambda: found
