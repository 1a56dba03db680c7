"""`USAGE_EXTRA_ACTIONS`: which lists are accepted, and what they add."""

import pytest

from pipeline.contract.actions import ACTIONS
from pipeline.contract.settings import SettingError, Settings
from tests.support.command import done, usage
from tests.support.data_folder import DataFolder


@pytest.mark.parametrize(
    ("text", "extra"),
    [
        ("", ()),
        ("clip_made", ("clip_made",)),
        ("z,a2_,z", ("z", "a2_")),
        (f"a{'b' * 63},{ACTIONS[3]}", (f"a{'b' * 63}",)),
    ],
)
def test_lists(text: str, extra: tuple[str, ...]) -> None:
    """Names keep their order; what is named twice, or is one of the six, adds nothing."""
    settings = Settings.read({"USAGE_EXTRA_ACTIONS": text})
    assert settings.extra_actions == extra
    assert settings.shown()["USAGE_EXTRA_ACTIONS"] == ",".join(extra)


@pytest.mark.parametrize("text", [",", "a,", "a, b", " a", "A", "1a", "_a", "a-b", "é", "a\n", "a" * 65, "a;b", "аb"])
def test_wrong_lists(text: str, folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """2: a name of another form is refused with the variable, and nothing is loaded."""
    with pytest.raises(SettingError, match="USAGE_EXTRA_ACTIONS="):
        Settings.read({"USAGE_EXTRA_ACTIONS": text})
    monkeypatch.setenv("USAGE_EXTRA_ACTIONS", text)
    result = usage(folder)
    done(result, 2)
    assert "USAGE_EXTRA_ACTIONS=" in result.stderr
    assert [path.name for path in folder.root.iterdir()] == ["raw"]
