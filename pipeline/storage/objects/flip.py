"""The commit itself: one conditional PUT that replaces the root which the run began with.

Writes `published.json`. If the answer is lost, the root says whether the PUT was carried out. While the root is still
the one that was read, the same PUT may be repeated: only one of several can succeed, and they say the same.
"""

from pipeline.contract.layout import Root, decode_root, encode_root
from pipeline.contract.object_client import TRIES, Client
from pipeline.contract.object_errors import ChangedError, OvertakenError, UnavailableError
from pipeline.contract.object_names import ROOT


def flip(client: Client, root: Root, etag: str | None) -> None:
    """Replace the root.

    Args:
        client: of the store.
        root: the new one; its nonce was never used before.
        etag: of the root that it follows; None if there was none.

    Raises:
        OvertakenError: another run committed first; nothing was changed, and this run has to begin again.
        UnavailableError: whether the commit was carried out is unknown: the next run will see.
    """
    content = encode_root(root)
    for tried in range(1, TRIES + 1):
        try:
            client.replace(ROOT, content, etag)
        except (ChangedError, UnavailableError):
            if _is_committed(client, root, etag):
                return
        else:
            return
        client.wait(tried)
    raise UnavailableError(
        f"the object store does not say whether {client.location.url}/{ROOT} was written; run again once it answers"
    )


def _is_committed(client: Client, root: Root, etag: str | None) -> bool:
    """Return whether the new root is, or was, the current one; False if the earlier one still is.

    Raises:
        OvertakenError: neither is the case.
        UnavailableError: the store does not say.
    """
    found = client.get(ROOT)
    if (found.found.etag if found else None) == etag:
        return False
    if found is not None:
        current = decode_root(found.bytes)
        # A later root no longer has the nonce, but still names the run.
        if current.nonce == root.nonce or (root.recent[-1:] and root.recent[-1] in current.recent):
            return True
    raise OvertakenError(f"another run on {client.location.url} committed first")
