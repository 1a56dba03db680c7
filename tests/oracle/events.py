"""One version of an event: its stored columns, its rank among versions, and its credits by language."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from tests.oracle.instants import DAY_US

STATUSES = ("pending", "running", "paused", "completed", "failed", "cancelled")
CLOSED = ("completed", "failed", "cancelled")


@dataclass(frozen=True)
class Amounts:
    """The measures of one language of an event."""

    characters: int
    lines: int
    corrected: int


@dataclass(frozen=True)
class Event:
    """The stored columns of a good record. Instants are in microseconds, metadata is compact JSON text."""

    workspace_id: str
    id: str
    timestamp: int
    recorded_at: int
    action: str
    kind: str
    resource_type: str
    resource_id: str | None
    resource_name: str | None
    user_id: str | None
    user_name: str | None
    metadata: str | None
    ip: str | None
    run_id: str | None
    run_status: str | None
    credits: int
    audio_ms: int
    languages: Mapping[str | None, Amounts]

    @property
    def identity(self) -> tuple[str, int, str]:
        """Workspace, UTC day and id, which all versions of an event share."""
        return self.workspace_id, self.timestamp // DAY_US, self.id

    def canonical(self) -> bytes:
        """Write the stored columns as canonical JSON: sorted keys, compact, UTF-8, nulls included."""
        columns = {name: value for name, value in vars(self).items() if name not in {"workspace_id", "languages"}}
        columns["languages"] = [
            {"locale": locale, **vars(self.languages[locale])} for locale in sorted(self.languages, key=locale_order)
        ]
        return json.dumps(columns, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()

    @property
    def rank(self) -> tuple[int, int, int, bytes]:
        """The order of versions: the version with the highest rank is current."""
        status = -1 if self.run_status is None else STATUSES.index(self.run_status)
        return self.recorded_at, status, self.credits, self.canonical()

    @property
    def counted_audio_ms(self) -> int:
        """The audio that counts: all of it if the event has no run or its run is closed, otherwise none."""
        return self.audio_ms if self.run_status is None or self.run_status in CLOSED else 0

    def share_credits(self) -> dict[str | None, int]:
        """Allocate whole credits to languages by characters, largest remainder first."""
        characters = {locale: amounts.characters for locale, amounts in self.languages.items() if amounts.characters}
        total = sum(characters.values())
        if not total:
            return {None: self.credits}
        shares = {locale: self.credits * count // total for locale, count in characters.items()}
        left = self.credits - sum(shares.values())
        by_remainder = sorted(
            characters, key=lambda locale: (-(self.credits * characters[locale] % total), locale_order(locale))
        )
        for locale in by_remainder[:left]:
            shares[locale] += 1
        return shares


def locale_order(locale: str | None) -> tuple[bool, str]:
    """Return a sort key: locales by code point, untagged last."""
    return locale is None, locale or ""
