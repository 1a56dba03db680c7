"""English names of locales, from CLDR.

Reads the locale data of the package Babel.
"""

from functools import lru_cache
from typing import Final

from babel import Locale, UnknownLocaleError
from babel.core import parse_locale

# Read once, at import: reading the file takes a tenth of a second.
_ENGLISH: Final = Locale("en")
_LANGUAGES, _SCRIPTS, _TERRITORIES, _VARIANTS = (
    _ENGLISH.languages,
    _ENGLISH.scripts,
    _ENGLISH.territories,
    _ENGLISH.variants,
)


@lru_cache(maxsize=4096)
def display_name(tag: str) -> str:
    """Return the English name of a tag: `en-us` → `English (United States)`. A tag unknown to CLDR is its own name."""
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
    """Replace aliases (`iw` → `he`), and add the script if the language has several (`zh-tw` → Traditional)."""
    try:
        locale = Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return script, territory, language
    if script not in {None, locale.script} or territory not in {None, locale.territory}:
        return script, territory, language  # an unknown part was replaced by a likely one
    return locale.script, territory, locale.language
