"""Which addresses of clusters are taken, and of which of them a run warns."""

import pytest

from pipeline.load.cluster.address import Address, AddressError


@pytest.mark.parametrize(
    ("text", "engine"),
    [("tcp://scheduler:8786", "dask"), ("tls://10.0.0.7:8786", "dask"), ("ray://[::1]:10001", "ray")],
)
def test_addresses(text: str, engine: str) -> None:
    """The scheme chooses the engine."""
    found = Address.parse(text)
    assert (found.text, found.engine) == (text, engine)


@pytest.mark.parametrize(
    "text", ["", "scheduler:8786", "http://h:1", "tcp://h", "tcp://:1", "tcp://h:99999", "tcp://u:p@h:1", "tcp://h:1/x"]
)
def test_no_addresses(text: str) -> None:
    """Anything else is refused, with examples."""
    with pytest.raises(AddressError, match="an address such as tcp://host:8786"):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("tcp://127.0.0.1:8786", False),
        ("tcp://localhost:8786", False),
        ("ray://[::1]:10001", False),
        ("tls://10.0.0.7:8786", False),
        ("tcp://10.0.0.7:8786", True),
        ("ray://head:10001", True),
    ],
)
def test_warnings(text: str, warned: bool) -> None:
    """Whoever reaches an open port runs code on the workers: a run says so unless it is loopback or encrypted."""
    assert bool(Address.parse(text).warning) is warned
