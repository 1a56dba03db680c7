"""Settings: the source of each value, and the messages about invalid values."""

from pathlib import Path

import pytest

from pipeline.contract.location import Location
from pipeline.contract.settings import SettingError, Settings


def test_command_line_before_environment_before_default() -> None:
    """An override that is not None takes precedence over the environment, which takes precedence over the default."""
    settings = Settings.read({"USAGE_PORT": "1", "USAGE_HOST": "::1", "USAGE_DEBUG": "TRUE"}, port=2, host=None)
    assert (settings.port, settings.host, settings.debug, settings.data_dir) == (2, "::1", True, Path("data"))


@pytest.mark.parametrize(
    ("variable", "message"),
    [("USAGE_PORT", "must be a whole number from 0 to 65535"), ("USAGE_DEBUG", "must be true or false")],
)
def test_wrong_value_names_the_variable(variable: str, message: str) -> None:
    """A value of the wrong type is refused with the variable, the type that it needs and the value."""
    with pytest.raises(SettingError) as refused:
        Settings.read({variable: "x"})
    assert str(refused.value) == f"{variable}='x' {message}"


@pytest.mark.parametrize("text", ["65536", "-1", "1_0", " 1", "1.0", "\u0661", "9" * 5000])
def test_numbers_have_bounds(text: str) -> None:
    """A number is plain digits within its bounds; the message names them."""
    with pytest.raises(SettingError, match=r"USAGE_PORT=.* must be a whole number from 0 to 65535"):
        Settings.read({"USAGE_PORT": text})
    with pytest.raises(SettingError, match=r"USAGE_WORKERS=.* must be a whole number from 0 to 512"):
        Settings.read({"USAGE_WORKERS": text + "0"})
    assert Settings.read({"USAGE_PORT": "65535", "USAGE_WORKERS": "512"}).port == 65_535


def test_origins() -> None:
    """Origins become what a browser sends: in lower case, without the port that the scheme implies, each once."""
    text = "https://App.example.com:443, http://localhost:3000,http://h:80,https://h:80,http://h"
    settings = Settings.read({"USAGE_EMBED_ORIGINS": text})
    listed = ("https://app.example.com", "http://localhost:3000", "http://h", "https://h:80")
    assert settings.embed_origins == listed
    assert settings.shown()["USAGE_EMBED_ORIGINS"] == ",".join(listed)
    assert Settings.read({}).embed_origins == ()


@pytest.mark.parametrize(
    "text",
    [
        *(
            "*",
            "null",
            "https://*.example.com",
            "https://a.example/",
            "https://a.example/path",
            "a.example",
            "https://",
        ),
        *("https://a.example;script-src *", "https://a.example https://b.example", "https://a.example,", ",", " "),
        *("ftp://a.example", "https://user@a.example", "https://a.example:", "https://a.example:0", "https://a:65536"),
        *("https://a.example?x", "https://a.example#x", "https://b\u00fccher.example", "https://a..b", "https://-a.b"),
        *("'self'", "https:", "https://a.example\nhttps://b.example", f"https://{'a' * 64}.example"),
    ],
)
def test_what_is_no_origin(text: str) -> None:
    """Whatever a browser would not send as an origin, or what would say more in the policy, is refused."""
    with pytest.raises(SettingError, match=r"USAGE_EMBED_ORIGINS=.* must be origins such as"):
        Settings.read({"USAGE_EMBED_ORIGINS": text})


def test_secrets_are_not_shown() -> None:
    """The shown settings have no passwords, wherever a URI contains them."""
    settings = Settings.read(
        {
            "USAGE_RATE_LIMIT_STORE": "redis://user:secret@host:1?password=secret",
            "USAGE_JWKS": "https://id.example/jwks",
        }
    )
    shown = settings.shown()
    assert shown["USAGE_RATE_LIMIT_STORE"] == "redis://…@host:1?…"
    assert shown["USAGE_JWKS"] == "https://id.example/jwks"


def test_data_on_an_object_store() -> None:
    """An address is read as such, from the environment and the command line; what needs a folder is refused."""
    settings = Settings.read({"USAGE_DATA_DIR": "s3://bucket/some/prefix", "USAGE_S3_ENDPOINT": "http://127.0.0.1:1"})
    assert settings.data == Location("bucket", "some/prefix", "http://127.0.0.1:1")
    assert Settings.read({}, data_dir="s3://bucket").data == Location("bucket")
    assert settings.shown()["USAGE_DATA_DIR"] == "s3://bucket/some/prefix"
    with pytest.raises(SettingError, match="on a folder only, and USAGE_DATA_DIR is s3://bucket/some/prefix"):
        _ = settings.data_dir
    with pytest.raises(SettingError, match="USAGE_DATA_DIR='gs://bucket': data on gs:// are not supported"):
        Settings.read({"USAGE_DATA_DIR": "gs://bucket"})


@pytest.mark.parametrize(
    ("text", "size"), [("10GB", 10**10), ("512MiB", 512 << 20), ("4096", 4096), ("7B", 7), ("2TiB", 2 << 40)]
)
def test_sizes(text: str, size: int) -> None:
    """A size has a unit of powers of 1000 or of 1024, or none."""
    assert Settings.read({"USAGE_CACHE_BYTES": text}).cache_bytes == size


@pytest.mark.parametrize("text", ["10 GB", "GB", "-1", "1.5GB", "10gb", "1PB", "9" * 19])
def test_wrong_sizes(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(SettingError, match="must be a size such as 10GB, 512MiB or 1048576"):
        Settings.read({"USAGE_CACHE_BYTES": text})
