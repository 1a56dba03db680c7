"""English names of locales, from CLDR."""

from functools import lru_cache
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.core import parse_locale

# Read once at the start: the file behind them takes a tenth of a second.
_ENGLISH: Final = Locale("en")
_LANGUAGES, _SCRIPTS, _TERRITORIES, _VARIANTS = (
    _ENGLISH.languages,
    _ENGLISH.scripts,
    _ENGLISH.territories,
    _ENGLISH.variants,
)


@lru_cache(maxsize=4096)
def display_name(tag: str) -> str:
    """Return the English name of a tag, `en-us` → `English (United States)`; one CLDR does not know is its own."""
    try:
        language, territory, script, variant = parse_locale(tag, sep="-")[:4]
    except ValueError:
        return tag
    script, territory, language = _resolved(tag, script, territory, language)
    name = _LANGUAGES.get(language)
    parts = [(script, _SCRIPTS), (territory, _TERRITORIES), (variant, _VARIANTS)]
    details = [names.get(subtag) for subtag, names in parts if subtag]
    if name is None or None in details:
        return tag
    return f"{name} ({', '.join(map(str, details))})" if details else name


def _resolved(tag: str, script: str | None, territory: str | None, language: str) -> tuple[str | None, str | None, str]:
    """Replace aliases, `iw` → `he`, and name the script where a language has several, `zh-tw` → Traditional."""
    try:
        locale = Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return script, territory, language
    if script not in {None, locale.script} or territory not in {None, locale.territory}:
        return script, territory, language  # what is unknown was replaced by what is likely
    return locale.script, territory, locale.language
