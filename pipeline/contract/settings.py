"""Every setting of the house, read from the environment once and passed in.

Reads `USAGE_*` variables; writes nothing.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec


class SettingError(ValueError):
    """Raised when an environment variable does not hold what its setting needs."""


class Setting(msgspec.Struct, frozen=True):
    """One setting: its environment variable is `USAGE_` + the upper-case name."""

    name: str
    default: str
    unit: str
    help: str

    @property
    def variable(self) -> str:
        """Return the environment variable, e.g. `USAGE_DATA_DIR`."""
        return f"USAGE_{self.name.upper()}"


SETTINGS: Final = (
    Setting("data_dir", "data", "path", "the folder of raw logs, tables, directory and state"),
    Setting("workers", "0", "processes", "that read logs at once in a run; 0 means one for each core"),
    Setting("host", "127.0.0.1", "address", "on which the service listens"),
    Setting("port", "8080", "port", "on which the service listens"),
    Setting("rate_limit_store", "memory://", "URI", "where API keys' answers are counted, e.g. redis://host:6379"),
    Setting("debug", "false", "true or false", "whether answers say in `Server-Timing` what took how long"),
    Setting("jwks", "", "path or URL", "of the keys of session tokens; without it none is accepted"),
    Setting("jwt_issuer", "", "text", "that the `iss` of session tokens must be, if set"),
    Setting("jwt_azp", "", "comma-separated texts", "of which the `azp` of session tokens must be one, if set"),
)

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
# Where a URI holds a password: before its host, or among its options.
_SECRETS: Final = re.compile(r"(?<=://)[^/]*(?=@)|(?<=\?).*")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The values in force, one field for each of `SETTINGS`."""

    data_dir: Path
    workers: int
    host: str
    port: int
    rate_limit_store: str
    debug: bool
    jwks: str
    jwt_issuer: str
    jwt_azp: str

    @classmethod
    def read(cls, environ: Mapping[str, str], **overrides: Any) -> "Settings":
        """Return the settings of `environ`, replaced where an override (from the command line) is not None.

        Raises:
            SettingError: a value has the wrong type; the message names the variable.
        """
        values: dict[str, Any] = {}
        for setting in SETTINGS:
            given = overrides.get(setting.name)
            text = environ.get(setting.variable) or setting.default
            kind = cls.__annotations__[setting.name]
            read = _boolean if kind is bool else kind
            try:
                values[setting.name] = given if given is not None else read(text)
            except ValueError:
                raise SettingError(f"{setting.variable}={text!r} is not a {kind.__name__}") from None
        return cls(**values)

    def shown(self) -> dict[str, str]:
        """Return the values by environment variable, without what a URI has of secrets."""
        texts = {setting.variable: str(getattr(self, setting.name)) for setting in SETTINGS}
        return {name: _SECRETS.sub("…", text) if "://" in text else text for name, text in texts.items()}


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError(text) from None
