"""`zones.json`: every zone of the pinned zone data, with its present offset from UTC and its other names.

The page lets people choose from this list, because a browser has no list of aliases, and takes long to compute offsets.
"""

from functools import cached_property
from typing import Final

import msgspec

from pipeline.contract.calendar import QUARTER_US, utc_offset
from pipeline.contract.zones import PINNED

_NO_PLACE: Final = frozenset({"Factory"})
# Renamed places whose former name is, in the zone data, a link to another place with the same clock since 1970.
# Some browsers only know the former names.
_RENAMED: Final = {
    "Africa/Asmera": "Africa/Asmara",
    "Africa/Timbuktu": "Africa/Bamako",
    "America/Atka": "America/Adak",
    "America/Coral_Harbour": "America/Atikokan",
    "Pacific/Ponape": "Pacific/Pohnpei",
    "Pacific/Truk": "Pacific/Chuuk",
}


class Zones(msgspec.Struct, frozen=True):
    """The content of `zones.json`: of each zone its name, its present minutes east of UTC, and its aliases."""

    zones: list[tuple[str | int, ...]]


class ZoneList:
    """The list as JSON, made once for each quarter-hour, since clocks change on quarter-hours of UTC."""

    def __init__(self) -> None:
        self._quarter = -1
        self._offsets: list[int] = []
        self._content = b""

    def at(self, now: int) -> bytes:
        """Return the list at an instant, in microseconds UTC. As long as no offset changes, it is the same object."""
        quarter = now // QUARTER_US
        if quarter != self._quarter:
            offsets = [utc_offset(name, quarter * QUARTER_US) // 60 for name in self._aliases]
            if offsets != self._offsets:
                rows = zip(self._aliases.items(), offsets, strict=True)
                self._content = msgspec.json.encode(Zones([(name, offset, *others) for (name, others), offset in rows]))
            self._quarter, self._offsets = quarter, offsets
        return self._content

    @cached_property
    def _aliases(self) -> dict[str, tuple[str, ...]]:
        """Return the zones, those with a city first, each with its aliases."""
        cities = PINNED.cities
        links = {name: _RENAMED.get(name, target) for name, target in PINNED.links.items() if name not in cities}
        del links["UTC"]  # the name that everybody uses
        links["Etc/UTC"] = "UTC"
        rest = PINNED.names - cities - links.keys() - _NO_PLACE
        aliases: dict[str, list[str]] = {name: [] for name in (*sorted(cities), *sorted(rest))}
        for name in sorted(links):
            target = links[name]
            while target not in aliases:
                target = links[target]
            aliases[target].append(name)
        return {name: tuple(others) for name, others in aliases.items()}
