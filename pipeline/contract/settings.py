"""Every setting of the project, read from the environment once and passed in.

Reads the variables `USAGE_*`; writes nothing.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.contract.actions import extra_actions


class SettingError(ValueError):
    """Raised when the value of a setting cannot be used; the message names the environment variable."""


class Setting(msgspec.Struct, frozen=True):
    """One setting. Its environment variable is `USAGE_` and the name in upper case."""

    name: str
    default: str
    unit: str
    help: str
    least: int = 0  # of a whole number
    most: int = 0

    @property
    def variable(self) -> str:
        """Return the environment variable, e.g. `USAGE_DATA_DIR`."""
        return f"USAGE_{self.name.upper()}"


RAW: Final = "raw"
DIRECTORY: Final = "directory"

MOST_PORTS: Final = 65_535
MOST_WORKERS: Final = 512

SETTINGS: Final = (
    Setting("data_dir", "data", "path", "the data folder: raw logs, tables, directory and state"),
    Setting(
        "extra_actions",
        "",
        "comma-separated names",
        "actions that runs accept besides the six of the log format: up to 64 of `a-z`, `0-9` and `_`, first a letter",
    ),
    Setting(
        "workers",
        "0",
        "processes",
        "processes that read logs in parallel during a run; 0 means one per core",
        most=MOST_WORKERS,
    ),
    Setting("host", "127.0.0.1", "address", "the address that the service listens on"),
    Setting("port", "8080", "port", "the port that the service listens on", most=MOST_PORTS),
    Setting(
        "rate_limit_store", "memory://", "URI", "the store that counts the answers of API keys, e.g. redis://host:6379"
    ),
    Setting("debug", "false", "true or false", "whether answers report in `Server-Timing` how long they took"),
    Setting("jwks", "", "path or URL", "the keys of session tokens; without it no session token is accepted"),
    Setting("jwt_issuer", "", "text", "the required `iss` of session tokens, if set"),
    Setting("jwt_azp", "", "comma-separated texts", "the accepted values of `azp` in session tokens, if set"),
    Setting("sql_memory", "1GB", "size", "the memory that a statement of `usage sql` may take"),
    Setting("sql_spill", "10GB", "size", "what a statement of `usage sql` may write to the temporary folder"),
)

_DIGITS: Final = re.compile(r"[0-9]{1,9}").fullmatch
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
# The parts of a URI that may hold a password: before the host, and the options.
_SECRETS: Final = re.compile(r"(?<=://)[^/]*(?=@)|(?<=\?).*")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The values of all settings, one field for each of `SETTINGS`."""

    data_dir: Path
    extra_actions: tuple[str, ...]
    workers: int
    host: str
    port: int
    rate_limit_store: str
    debug: bool
    jwks: str
    jwt_issuer: str
    jwt_azp: str
    sql_memory: str
    sql_spill: str

    @property
    def raw(self) -> Path:
        """Return the folder of the raw logs."""
        return self.data_dir / RAW

    @property
    def directory(self) -> Path:
        """Return the folder of members, accounts and API keys."""
        return self.data_dir / DIRECTORY

    @classmethod
    def read(cls, environ: Mapping[str, str], **overrides: Any) -> "Settings":
        """Return the settings of `environ`. An override (from the command line) that is not None takes precedence.

        Raises:
            SettingError: a value has the wrong type.
        """
        values: dict[str, Any] = {}
        for setting in SETTINGS:
            given = overrides.get(setting.name)
            text = environ.get(setting.variable) or setting.default
            kind = cls.__annotations__[setting.name]
            try:
                values[setting.name] = given if given is not None else _read(kind, setting, text)
            except ValueError as wanted:
                raise SettingError(f"{setting.variable}={text!r} must be {wanted}") from None
        return cls(**values)

    def shown(self) -> dict[str, str]:
        """Return the values by environment variable, with the secrets of URIs left out."""
        values = {setting.variable: getattr(self, setting.name) for setting in SETTINGS}
        texts = {name: ",".join(value) if isinstance(value, tuple) else str(value) for name, value in values.items()}
        return {name: _SECRETS.sub("…", text) if "://" in text else text for name, text in texts.items()}


def _read(kind: Any, setting: Setting, text: str) -> Any:
    """Return the value that a text stands for.

    Raises:
        ValueError: it stands for none; the message says what it must be.
    """
    if kind is bool:
        if text.lower() not in _BOOLEANS:
            raise ValueError("true or false")
        return _BOOLEANS[text.lower()]
    if kind is int:
        if not (_DIGITS(text) and setting.least <= int(text) <= setting.most):
            raise ValueError(f"a whole number from {setting.least} to {setting.most}")
        return int(text)
    if kind is Path or kind is str:
        return kind(text)
    try:
        return extra_actions(text)
    except ValueError:
        raise ValueError("names of a-z, 0-9 and _, with commas between them") from None
