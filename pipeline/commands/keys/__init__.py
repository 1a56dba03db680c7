"""`usage keys`: create, list and revoke API keys. Only data goes to stdout, so that a new key can be piped.

One file a command. Nothing here opens a key file; `pipeline.keys` does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pipeline.commands.exit_codes import BUSY, FAILED
from pipeline.commands.options import refuse
from pipeline.streams import note

if TYPE_CHECKING:
    from pipeline.contract.directory import ApiKey

_PREFIX = 8  # digits of a hash that are shown: enough to know a key again


def shown(key: "ApiKey") -> dict[str, Any]:
    """Return what `--json` prints of a key; its hash is cut, so that the list is worth nothing to others."""
    return {
        "id": key.id,
        "workspace_id": key.workspace_id,
        "user_id": key.user_id,
        "scopes": key.scopes,
        "rate_limit_per_min": key.rate_limit_per_min,
        "revoked_at": key.revoked_at,
        "key_sha256_prefix": key.key_sha256[:_PREFIX],
    }


@contextmanager
def reporting_failures() -> Iterator[None]:
    """Print in one line why a command failed: exit 2 if its options or a directory file are wrong, 75, or else 1."""
    from pipeline.contract.directory import DirectoryError
    from pipeline.contract.text import printable
    from pipeline.keys import KeysError
    from pipeline.storage.lock import BusyError

    try:
        yield
    except BusyError as error:
        note(f"{error}; try again")
        raise SystemExit(BUSY) from None
    except (KeysError, DirectoryError) as error:
        refuse(printable(str(error)))
    except OSError as error:
        note(printable(f"error: {error}"))
        raise SystemExit(FAILED) from None
