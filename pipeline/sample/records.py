"""Write the lines of one slice of the sample logs: records, their later versions and their re-deliveries.

Reads the cast and a slice of (timestamp, workspace); returns lines with the instant at which each arrives. All random
numbers are drawn for the whole slice at once; the one remaining loop builds and encodes the records.
"""

from typing import Final, NamedTuple

import msgspec
import numpy as np

from pipeline.contract.actions import ACTIONS
from pipeline.contract.calendar import DAY_US, SECOND_US
from pipeline.sample.cast import RESOURCES_PER_ACTION, Cast, Floats, Ints
from pipeline.sample.names import THEMES, UNTAGGED

SLICE_EVENTS: Final = 10_000

Line = tuple[int, bytes]  # its arrival in microseconds UTC, and its text without the newline

# The statuses of a run's versions, and the share of runs with these; the last is an event without a run.
_PATHS: Final = (
    ("completed", 0.40),
    ("running completed", 0.12),
    ("pending completed", 0.16),
    ("pending running completed", 0.17),
    ("pending running failed", 0.04),
    ("failed", 0.03),
    ("pending cancelled", 0.02),
    ("running cancelled", 0.01),
    ("pending running paused", 0.01),
    ("running paused completed", 0.02),
    ("running", 0.01),
    ("pending", 0.01),
    ("", 0.0),
)
_STATUSES: Final = [path.split(" ") for path, _ in _PATHS]
_VERSIONS: Final = np.array([len(statuses) for statuses in _STATUSES])
_RUN_SHARES: Final = np.array([share for _, share in _PATHS])
_VOICE_SHARES: Final = np.array([0.1, 0.05, *[0.0] * (len(_PATHS) - 3), 0.85])  # 15 % belong to a run
_NO_RUN: Final = len(_PATHS) - 1
# The share of its final usage that a version with this status reports.
_PROGRESS: Final = {"": 1.0, "running": 0.4, "paused": 0.6, "completed": 1.0, "cancelled": 0.5, "failed": 0.7}

_KINDS: Final = [THEMES[action].kinds.split(" ") for action in ACTIONS]
_METADATA: Final = [THEMES[action].metadata for action in ACTIONS]
_ACTION_SHARES: Final = np.array([THEMES[action].share for action in ACTIONS])
_RUN: Final = ACTIONS.index("workflow_run")
_VOICE: Final = ACTIONS.index("voice_generated")
_TEMPLATE: Final = ACTIONS.index("template_applied")

_LANGUAGE_COUNTS: Final = np.array([0.04, 0.64, 0.17, 0.1, 0.05])  # shares of events with 0, 1, … 4 languages
_UNTAGGED_SHARE: Final = 0.03
_SYSTEM_SHARE: Final = 0.04
_NO_METADATA_SHARE: Final = 0.05
_UNSTATED_SHARE: Final = 0.15  # omit `recorded_at`
_LATE_SHARE: Final = 0.015
_REDELIVERED_SHARE: Final = 0.03

_AUDIO_MS_A_CHARACTER: Final = 62
_CHARACTERS_A_LINE: Final = 70
_CHARACTERS_A_CORRECTION: Final = 640
_CHARACTERS_A_CREDIT: Final = 25
_RANDOM_DIGITS: Final = 40  # hexadecimal digits for each event


class Slice(NamedTuple):
    """Some events of one day in time order; the next slice begins at `until`."""

    timestamps: Ints  # (events,), microseconds UTC
    workspaces: Ints  # (events,), indexes into the cast
    until: int  # microseconds UTC


class _Run(msgspec.Struct, gc=False):
    id: str
    status: str


class _Language(msgspec.Struct, omit_defaults=True, gc=False):
    locale: str | None
    characters: int
    lines: int
    corrected: int = 0


class _Usage(msgspec.Struct, omit_defaults=True, gc=False):
    credits: int
    audio_ms: int = 0
    languages: list[_Language] = []


class _Record(msgspec.Struct, omit_defaults=True, gc=False):
    id: str
    workspace_id: str
    timestamp: str
    action: str
    kind: str
    resource: msgspec.Raw
    recorded_at: str | None = None
    user: msgspec.Raw | None = None
    metadata: msgspec.Raw | None = None
    ip: str | None = None
    run: _Run | None = None
    usage: _Usage | None = None


class _Work(msgspec.Struct, gc=False):
    """The final usage of one event: its first language has `characters`, each further one half of the previous."""

    characters: int
    locales: list[str | None]

    def at(self, progress: float) -> _Usage:
        """Return the usage when this share of the work is done."""
        shown = int(self.characters * progress)
        total = 0 if self.locales else shown
        languages = []
        for locale in self.locales:
            lines = shown // _CHARACTERS_A_LINE + 1
            languages.append(_Language(locale, shown, lines, shown // _CHARACTERS_A_CORRECTION))
            total += shown
            shown >>= 1
        return _Usage(total // _CHARACTERS_A_CREDIT + 1, total * _AUDIO_MS_A_CHARACTER, languages)


class _Deliveries(NamedTuple):
    """One entry for each version of each event, the versions of an event next to each other; microseconds UTC."""

    recorded_at: Ints
    arrivals: Ints
    redelivered_at: Ints  # 0 if the version is delivered only once


def write_lines(rng: np.random.Generator, now: int, cast: Cast, part: Slice) -> list[Line]:
    """Return the lines of a slice's events, ordered by event and version; none arrives after `now`."""
    count = len(part.timestamps)
    actions = rng.choice(len(ACTIONS), count, p=_ACTION_SHARES)
    paths = np.where(actions == _RUN, _draw(rng, _RUN_SHARES, count), _NO_RUN)
    paths = np.where(actions == _VOICE, _draw(rng, _VOICE_SHARES, count), paths)
    deliveries = _deliveries(rng, now, part.timestamps, paths)
    versions = zip(*(column.tolist() for column in deliveries), strict=True)

    ahead = np.array([home.written_ahead_us for home in cast.homes])[part.workspaces]
    timestamps = _texts(part.timestamps + ahead)
    recorded_texts = iter(_texts(deliveries.recorded_at + np.repeat(ahead, _VERSIONS[paths])))
    stated = (rng.random(count) >= _UNSTATED_SHARE) | (_VERSIONS[paths] > 1)
    columns = (part.workspaces, actions, paths, _actors(rng, cast, part), _resources(rng, part, actions), stated)
    works = _works(rng, cast, part, actions)
    texts = _metadata(rng, actions)
    picks = rng.integers(1 << 20, size=count).tolist()
    digits = rng.bytes(count * _RANDOM_DIGITS // 2).hex()

    encode = msgspec.json.Encoder().encode
    lines: list[Line] = []
    for event, (w, action, path, member, resource, states) in enumerate(
        zip(*(c.tolist() for c in columns), strict=True)
    ):
        salt = digits[event * _RANDOM_DIGITS : (event + 1) * _RANDOM_DIGITS]
        offset = cast.homes[w].offset
        text, work, kinds = texts[event], works[event], _KINDS[action]
        record = _Record(
            id=f"evt_{salt[:24]}",
            workspace_id=cast.workspace_ids[w],
            timestamp=timestamps[event] + offset,
            action=ACTIONS[action],
            kind=kinds[picks[event] % len(kinds)],
            resource=cast.resources[resource],
            metadata=msgspec.Raw(f'{text},"request_id":"{salt[24:]}"}}') if text else None,
        )
        if member >= 0:
            record.user, record.ip = cast.users[member], cast.ips[member]
        for status in _STATUSES[path]:
            recorded_at, arrival, redelivered_at = next(versions)
            recorded_text = next(recorded_texts)
            if recorded_at > now:
                continue
            if states:
                record.recorded_at = recorded_text + offset
            if status:
                record.run = _Run(f"run_{salt[8:24]}", status)
            if work and status != "pending":
                record.usage = work.at(_PROGRESS[status])
            line = encode(record)
            lines.append((arrival, line))
            if redelivered_at:
                lines.append((redelivered_at, line))
    return lines


def _draw(rng: np.random.Generator, shares: Floats, count: int) -> Ints:
    return rng.choice(len(shares), count, p=shares)


def _deliveries(rng: np.random.Generator, now: int, timestamps: Ints, paths: Ints) -> _Deliveries:
    """Draw when each version is recorded and delivered; later versions may be recorded after `now`."""
    count = len(paths)
    prompt = np.minimum(timestamps + (rng.lognormal(0, 1, count) * SECOND_US).astype(np.int64), now)
    late = timestamps + rng.integers(300 * SECOND_US, 2 * DAY_US, count)
    first = np.where((rng.random(count) < _LATE_SHARE) & (late <= now), late, prompt)
    step = (rng.lognormal(4.5, 1.3, count) * SECOND_US).astype(np.int64)  # median 90 s; some take hours

    lengths = _VERSIONS[paths]
    events = np.repeat(np.arange(count), lengths)
    places = np.arange(len(events)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    recorded_at = first[events] + places * step[events]
    arrivals = np.minimum(recorded_at + rng.integers(0, 3 * SECOND_US, len(events)), now)
    repeats = np.minimum(arrivals + rng.integers(SECOND_US, 12 * 3600 * SECOND_US, len(events)), now)
    return _Deliveries(recorded_at, arrivals, np.where(rng.random(len(events)) < _REDELIVERED_SHARE, repeats, 0))


def _actors(rng: np.random.Generator, cast: Cast, part: Slice) -> Ints:
    """Draw the member who acts in each event, -1 for the system.

    Members listed first act most often; once a member is removed, the admin acts instead.
    """
    count = len(part.workspaces)
    admins = cast.first_member[part.workspaces]
    members = admins + (cast.member_count[part.workspaces] * rng.random(count) ** 2.2).astype(np.int64)
    members = np.where(cast.removed_at[members] <= part.timestamps, admins, members)
    return np.where(rng.random(count) < _SYSTEM_SHARE, -1, members)


def _resources(rng: np.random.Generator, part: Slice, actions: Ints) -> Ints:
    """Draw the resource of each event, as an index into the cast; some are used more often than others."""
    chosen = (RESOURCES_PER_ACTION * rng.random(len(actions)) ** 2).astype(np.int64)
    resources: Ints = (part.workspaces * len(ACTIONS) + actions) * RESOURCES_PER_ACTION + chosen
    return resources


def _works(rng: np.random.Generator, cast: Cast, part: Slice, actions: Ints) -> list[_Work | None]:
    """Draw the usage of each event; runs, voices and templates have some, templates without a language."""
    count = len(actions)
    characters = rng.lognormal(np.where(actions == _RUN, 8.0, 6.6), 0.9).astype(np.int64) + 1
    languages = _draw(rng, _LANGUAGE_COUNTS, count)
    languages[actions == _TEMPLATE] = 0
    known = cast.locale_count[part.workspaces]
    ranks = (known * rng.random(count) ** 2.4).astype(np.int64)  # a workspace's first locales are the most frequent
    untagged = np.where(rng.random(count) < _UNTAGGED_SHARE, rng.integers(len(UNTAGGED), size=count), -1)
    columns = (actions, characters, languages, cast.first_locale[part.workspaces], known, ranks, untagged)
    works: list[_Work | None] = []
    for action, total, number, first, modulus, rank, tag in zip(*(column.tolist() for column in columns), strict=True):
        if action > _TEMPLATE:
            works.append(None)
            continue
        locales: list[str | None] = [cast.locales[first + (rank + place) % modulus] for place in range(number)]
        if locales and tag >= 0:
            locales[0] = UNTAGGED[tag]
        works.append(_Work(total, locales))
    return works


def _metadata(rng: np.random.Generator, actions: Ints) -> list[str]:
    """Draw metadata texts without the closing brace; an empty text means no metadata."""
    picks = rng.integers(1 << 20, size=len(actions))
    durations_ms = rng.lognormal(7, 1.2, len(actions)).astype(np.int64)
    bare = rng.random(len(actions)) < _NO_METADATA_SHARE
    columns = (actions, picks, durations_ms, bare)
    return [
        "" if none else f'{_METADATA[action][pick % len(_METADATA[action])]},"duration_ms":{duration_ms}'
        for action, pick, duration_ms, none in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _texts(instants: Ints) -> list[str]:
    """Format instants as RFC 3339 without an offset: `2026-11-24T12:00:00.000000`."""
    texts: list[str] = np.datetime_as_string(instants.astype("datetime64[us]")).tolist()
    return texts
