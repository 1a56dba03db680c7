"""Every setting of the project, read from the environment once and passed in.

Reads the variables `USAGE_*`, and those of AWS that name an endpoint; writes nothing.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from pipeline.contract import setting_values
from pipeline.contract.location import Location, LocationError, is_address, locate
from pipeline.contract.origins import Origin
from pipeline.contract.path_prefix import PathPrefix
from pipeline.contract.setting_values import Size


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
    Setting(
        "data_dir",
        "data",
        "path or address",
        "the data folder: raw logs, tables, directory and state; or s3://bucket/prefix, where they lie as objects",
    ),
    Setting(
        "raw",
        "",
        "path or address",
        "the raw logs, where they are not in `raw` of the data folder: a folder, or s3://bucket/prefix",
    ),
    Setting(
        "s3_endpoint",
        "",
        "URL",
        "the object store of s3:// addresses, e.g. http://127.0.0.1:8333; else that of AWS_ENDPOINT_URL, else AWS",
    ),
    Setting("raw_s3_endpoint", "", "URL", "the object store of `USAGE_RAW`, if it is another one"),
    Setting(
        "delta_log",
        "false",
        "true or false",
        "whether commits on an object store are also written to a Delta log of the events, for other engines",
    ),
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
    Setting(
        "cluster",
        "",
        "address",
        "the scheduler of a cluster that reads logs instead of this machine: tcp:// or tls:// of Dask, ray:// of Ray",
    ),
    Setting("host", "127.0.0.1", "address", "the address that the service listens on"),
    Setting("port", "8080", "port", "the port that the service listens on", most=MOST_PORTS),
    Setting("socket", "", "path", "the Unix socket that the service listens on, instead of an address and a port"),
    Setting("path_prefix", "", "path", "the path below which a proxy shows the service, e.g. /analytics"),
    Setting(
        "cors_origins",
        "",
        "comma-separated origins",
        "applications whose pages may read the API in a browser, e.g. https://app.example.com",
    ),
    Setting(
        "rate_limit_store", "memory://", "URI", "the store that counts the answers of API keys, e.g. redis://host:6379"
    ),
    Setting("page", "true", "true or false", "whether the service has a page at `/usage/` that shows the figures"),
    Setting(
        "embed_origins",
        "",
        "comma-separated origins",
        "applications that may show the page in a frame and pass it a token, e.g. https://app.example.com",
    ),
    Setting("debug", "false", "true or false", "whether answers report in `Server-Timing` how long they took"),
    Setting("jwks", "", "path or URL", "the keys of session tokens; without it no session token is accepted"),
    Setting("jwt_issuer", "", "text", "the required `iss` of session tokens, if set"),
    Setting("jwt_azp", "", "comma-separated texts", "the accepted values of `azp` in session tokens, if set"),
    Setting(
        "cache_dir",
        "",
        "path",
        "where the service keeps copies of objects; else a folder in that for temporary files",
    ),
    Setting(
        "scratch",
        "",
        "path",
        "where commands keep copies of objects while they work; else a folder in that for temporary files",
    ),
    Setting("cache_bytes", "10GB", "size", "what these copies may take"),
    Setting("sql_memory", "1GB", "size", "the memory that a statement of `usage sql` may take"),
    Setting("sql_spill", "10GB", "size", "what a statement of `usage sql` may write to the temporary folder"),
)

_PLACES: Final = 2  # the first settings say where the data are
# They stay in the environment, and so out of whatever shows or hands over settings.
RAW_CREDENTIALS: Final = ("USAGE_RAW_ACCESS_KEY_ID", "USAGE_RAW_SECRET_ACCESS_KEY", "USAGE_RAW_SESSION_TOKEN")
_BOTH: Final = RAW_CREDENTIALS[:2]
# The parts of a URI that may hold a password: before the host, and the options.
_SECRETS: Final = re.compile(r"(?<=://)[^/]*(?=@)|(?<=\?).*")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The values of all settings, one field for each of `SETTINGS`; the field of `data_dir` is `data`."""

    data: Path | Location
    raw: Path | Location
    s3_endpoint: str
    raw_s3_endpoint: str
    delta_log: bool
    extra_actions: tuple[str, ...]
    workers: int
    cluster: str
    host: str
    port: int
    socket: Path | None
    path_prefix: PathPrefix
    cors_origins: tuple[Origin, ...]
    rate_limit_store: str
    page: bool
    embed_origins: tuple[Origin, ...]
    debug: bool
    jwks: str
    jwt_issuer: str
    jwt_azp: str
    cache_dir: str
    scratch: Path | None
    cache_bytes: Size
    sql_memory: str
    sql_spill: str

    @property
    def data_dir(self) -> Path:
        """Return the data folder.

        Raises:
            SettingError: the data lie on an object store, and whoever asks works on a folder alone.
        """
        return _folder(SETTINGS[0], self.data)

    @property
    def raw_dir(self) -> Path:
        """Return the folder of the raw logs.

        Raises:
            SettingError: they lie on an object store, and whoever asks reads files alone.
        """
        return _folder(SETTINGS[1], self.raw)

    @property
    def directory(self) -> Path:
        """Return the folder of members, accounts and API keys."""
        return self.data_dir / DIRECTORY

    @property
    def directory_address(self) -> str:
        """Return the address of members, accounts and API keys on an object store; empty if they are in a folder."""
        return (self.data / DIRECTORY).url if isinstance(self.data, Location) else ""

    @classmethod
    def read(cls, environ: Mapping[str, str], **overrides: Any) -> "Settings":
        """Return the settings of `environ`. An override (from the command line) that is not None takes precedence.

        Raises:
            SettingError: a value has the wrong type.
        """
        values: dict[str, Any] = {}
        for setting in SETTINGS[_PLACES:]:
            given = overrides.get(setting.name)
            text = environ.get(setting.variable) or setting.default
            kind = cls.__annotations__[setting.name]
            try:
                if given is None:
                    given = setting_values.read(kind, text, setting.least, setting.most)
            except ValueError as wanted:
                raise SettingError(f"{setting.variable}={text!r} must be {wanted}") from None
            values[setting.name] = given
        given = [overrides.get(setting.name) or environ.get(setting.variable) for setting in SETTINGS[:_PLACES]]
        data = _place(SETTINGS[0], given[0] or SETTINGS[0].default, environ, values["s3_endpoint"])
        raw = data / RAW
        if given[1]:
            raw = _place(SETTINGS[1], given[1], environ, values["raw_s3_endpoint"] or values["s3_endpoint"])
        if isinstance(raw, Location) and any(map(environ.get, _BOTH)):
            if not all(map(environ.get, _BOTH)):
                raise SettingError(f"{' and '.join(_BOTH)} go together: set both, or neither")
            raw = msgspec.structs.replace(raw, credentials=f"{SETTINGS[1].variable}_")
        return cls(data=data, raw=raw, **values)

    def shown(self) -> dict[str, str | int | bool]:
        """Return the values by environment variable: numbers and truths as such, URIs without their secrets."""
        places = zip(SETTINGS, (self.data, self.raw), strict=False)
        values: dict[str, Any] = {
            setting.variable: place.url if isinstance(place, Location) else str(place) for setting, place in places
        }
        values |= {setting.variable: getattr(self, setting.name) for setting in SETTINGS[_PLACES:]}
        values = {name: "" if value is None else value for name, value in values.items()}
        return {name: _shown(value) for name, value in values.items()}


def _shown(value: Any) -> str | int | bool:
    if isinstance(value, int):
        return value if isinstance(value, bool) else int(value)  # a size is a number, too
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return _SECRETS.sub("…", text) if "://" in text else text


def _folder(setting: Setting, place: Path | Location) -> Path:
    if isinstance(place, Location):
        raise SettingError(f"this works on a folder only, and {setting.variable} is {place.url}")
    return place


def _place(setting: Setting, given: Path | str, environ: Mapping[str, str], endpoint: str) -> Path | Location:
    """Return where data lie.

    Raises:
        SettingError: the address cannot be used.
    """
    if isinstance(given, Path) or not is_address(given):
        return Path(given)
    try:
        return locate(given, environ, endpoint)
    except LocationError as error:
        raise SettingError(f"{setting.variable}={given!r}: {error}") from None
