"""The address of a cluster's scheduler; a text that is none is an `AddressError`."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

import msgspec

_SCHEMES: Final = {"tcp": "dask", "tls": "dask", "ray": "ray"}
_ENCRYPTED: Final = ("tls",)


class AddressError(ValueError):
    """Raised when a text is not the address of a scheduler; the message says what it must be."""


class Address(msgspec.Struct, frozen=True):
    """Where a scheduler listens."""

    text: str
    scheme: str
    host: str

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Return the address that a text stands for.

        Raises:
            AddressError: it stands for none.
        """
        wanted = f"an address such as tcp://host:8786, tls://host:8786 or ray://host:10001, not {text!r}"
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise AddressError(wanted) from None
        extra = parts.path or parts.query or parts.fragment or parts.username or parts.password
        if parts.scheme not in _SCHEMES or not host or port is None or extra:
            raise AddressError(wanted)
        return cls(text, parts.scheme, host)

    @property
    def engine(self) -> str:
        """Return the name of the engine that speaks this scheme: `dask` or `ray`."""
        return _SCHEMES[self.scheme]

    @property
    def warning(self) -> str | None:
        """Return what whoever runs this should know of the address; None if it is safe.

        Whoever reaches the ports of a cluster runs code on its machines.
        """
        if self.scheme in _ENCRYPTED or self._is_loopback():
            return None
        return (
            f"{self.text} is neither encrypted nor authenticated: whoever reaches this port can run code on all"
            " workers; keep it in a private network" + (", or use tls://" if self.engine == "dask" else "")
        )

    def _is_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"
