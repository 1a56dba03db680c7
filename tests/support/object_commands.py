"""Run commands on an object store in this process, and put objects there."""

from pipeline.contract.object_client import Client
from tests.support.invoked import Result, invoke


def usage(client: Client, *arguments: str) -> Result:
    """Run a command on a location."""
    environ = {"USAGE_DATA_DIR": client.location.url, "USAGE_S3_ENDPOINT": client.location.endpoint}
    return invoke(arguments, env=environ)


def put(client: Client, key: str, content: bytes) -> None:
    """Store an object, in place of another one."""
    found = client.head(key)
    client.replace(key, content, found.etag if found else None)
