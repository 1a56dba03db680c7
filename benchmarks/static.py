"""The reference of the read path: a Litestar application whose single route returns fixed bytes.

    python -m benchmarks.static BYTES [--port 0] [--workers 1]

Runs under the same server with the same settings as `usage serve`, and like it prints its URL on stderr.
"""

import argparse
from functools import partial

from litestar import Litestar, MediaType, get

from service.server import listen


def application(size: int) -> Litestar:
    """Return the application; its answer has `size` bytes."""
    body = b'{"data":"' + b"x" * (size - 11) + b'"}'

    @get("/", media_type=MediaType.JSON, sync_to_thread=False)
    def fixed() -> bytes:
        return body

    return Litestar([fixed], openapi_config=None, logging_config=None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bytes", type=int)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    listen("127.0.0.1", asked.port, asked.workers, partial(application, asked.bytes))
