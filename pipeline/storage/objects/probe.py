"""Finds out, before anything is written, whether a store keeps what the commit rests on: conditional writes.

Puts, reads and deletes one object in `probe/`. Some servers ignore `If-None-Match` and `If-Match`: two runs would
replace each other's root, and neither would notice.
"""

from pipeline.contract.object_client import TRIES, Client
from pipeline.contract.object_errors import ChangedError, ObjectStoreError, UnavailableError
from pipeline.storage.objects.commit import new_token


class UnsuitableError(ObjectStoreError):
    """Raised when the store ignores the conditions of a write."""


def refuse_unsuitable(client: Client) -> None:
    """Write an object under conditions that hold, and under others that do not.

    Raises:
        UnsuitableError: the store carries out writes whose conditions do not hold.
        ObjectStoreError: the store cannot be used at all.
    """
    for tried in range(1, TRIES + 1):
        key = f"probe/{new_token()}"
        try:
            _probe(client, key)
        except UnavailableError:
            if tried == TRIES:
                raise
        else:
            return
        finally:
            client.delete([key])
        client.wait(tried)


def _probe(client: Client, key: str) -> None:
    etag = client.replace(key, b"1", None)
    if _is_written(client, key, b"2", None):
        raise _unsuitable(client, "If-None-Match")
    # The ETag of the answer to a PUT, and then that of the object.
    if not _is_written(client, key, b"3", etag):
        raise _unsuitable(client, "If-Match")
    found = client.head(key)
    etag = "" if found is None else found.etag
    if not _is_written(client, key, b"4", etag) or _is_written(client, key, b"5", etag):
        raise _unsuitable(client, "If-Match")


def _is_written(client: Client, key: str, content: bytes, etag: str | None) -> bool:
    try:
        client.replace(key, content, etag)
    except ChangedError:
        return False
    return True


def _unsuitable(client: Client, header: str) -> UnsuitableError:
    where = client.location.endpoint or client.location.url
    return UnsuitableError(
        f"the object store at {where} does not keep the conditions of writes ({header}), so two runs could destroy each"
        " other's tables: use one that does, such as Amazon S3, SeaweedFS 4.48 or a current MinIO"
    )
