"""The actions that an event may have: six in every installation, and those that a setting adds.

Pure data and functions. The module imports nothing of weight, since every command reads the settings.
"""

import re
from typing import Final

ACTIONS: Final = (
    "workflow_run",
    "voice_generated",
    "template_applied",
    "member_invited",
    "api_key_created",
    "settings_changed",
)
# What every action matches: a regular expression that JSON Schema understands too.
PATTERN: Final = "^[a-z][a-z0-9_]{0,63}$"

is_action: Final = re.compile(PATTERN.strip("^$")).fullmatch


def extra_actions(text: str) -> tuple[str, ...]:
    """Return the actions that a comma-separated list adds to the six, in its order; none for an empty text.

    Raises:
        ValueError: a name in it is not of the form of an action.
    """
    names = text.split(",") if text else []
    if not all(map(is_action, names)):
        raise ValueError(text)
    return tuple(name for name in dict.fromkeys(names) if name not in ACTIONS)
