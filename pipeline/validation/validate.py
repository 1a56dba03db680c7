"""Validate a log line: from its bytes to a row of `events`, or to the reason for its rejection.

`_decoded_row` decodes a line into typed structs in one step, and gives no row if anything may be wrong. `diagnose` then
reads the line field by field, in the order of the contract's table, and finds the first fault. If there is none, it
rewrites the line with only its known fields, which `_decoded_row` can decode. `faults` finds all faults of a line.
"""

from typing import Final

import msgspec

from pipeline.contract import formats
from pipeline.contract.actions import ACTIONS
from pipeline.contract.calendar import DAY_US, FIRST_DAY, utc_day_start
from pipeline.contract.formats import FormatError
from pipeline.validation.diagnose import diagnose
from pipeline.validation.metadata import canonical
from pipeline.validation.records import LINE_BYTES_MAX, RUN_ACTION, Language, Record, Rejection, Row

FIRST_INSTANT: Final = utc_day_start(FIRST_DAY)
# An event may be this far ahead of the run that reads it, since not every producer's clock is right.
AHEAD_US: Final = DAY_US
FAULTS_MAX: Final = 100  # of one line; each language of a line of 1 MiB may have four

_decode: Final = msgspec.json.Decoder(Record).decode


def validate(
    line: bytes, latest: int, *, actions: tuple[str, ...] = ACTIONS, torn: bool = False, dropped: int = 0
) -> Row | Rejection | None:
    r"""Validate one line of a log.

    Args:
        line: the bytes between two newlines; a `\r` at the end is ignored.
        latest: the last instant that `timestamp` may have, in microseconds UTC: 24 hours after the run's start.
        actions: those that are accepted.
        torn: whether the file ends with this line and without a newline, so that the line may be incomplete.
        dropped: bytes of the line that were cut off, because it is too long.

    Returns:
        The row, the reason for its rejection, or None for a line of white space.
    """
    if line.endswith(b"\r"):
        line = line[:-1]
    if not line or line.isspace():
        return None
    if len(line) > LINE_BYTES_MAX:
        return Rejection(
            "line_too_long",
            None,
            f"the line has {len(line) + dropped:,} bytes, at most {LINE_BYTES_MAX:,} are read;"
            " shorten metadata or split it",
        )
    row = _decoded_row(line, latest, actions)
    if row is not None:
        return row
    found = diagnose(line, latest, actions, torn=torn)
    if found.faults:
        return found.faults[0]
    row = _decoded_row(found.known, latest, actions)
    if row is None:  # a mistake in this package, which must not stop the run
        return Rejection("invalid_value", None, "no rule is broken, but the line cannot be stored; report it, please")
    return row


def faults(
    line: bytes, latest: int, *, actions: tuple[str, ...] = ACTIONS, torn: bool = False, dropped: int = 0
) -> list[Rejection]:
    """Return everything that is wrong with a line: first the reason for its rejection. A good or blank line has none.

    The arguments are those of `validate`. Of more than `FAULTS_MAX` faults the first ones are returned.
    """
    verdict = validate(line, latest, actions=actions, torn=torn, dropped=dropped)
    if not isinstance(verdict, Rejection):
        return []
    if verdict.reason == "line_too_long":
        return [verdict]
    return diagnose(line.removesuffix(b"\r"), latest, actions, torn=torn, most=FAULTS_MAX).faults or [verdict]


def _decoded_row(line: bytes, latest: int, actions: tuple[str, ...]) -> Row | None:
    """Return the row of a line that is certainly good, else None."""
    try:
        if not line.isascii():
            line.decode()  # the decoder does not check that the values of unknown keys are UTF-8
        return _row(_decode(line), latest, actions)
    except (msgspec.DecodeError, RecursionError, ValueError):  # ValueError: from UTF-8 or a format
        return None


def _row(record: Record, latest: int, actions: tuple[str, ...]) -> Row:
    """Return the row of a record.

    Raises:
        FormatError: a value breaks a rule that the types do not express.
    """
    timestamp = formats.instant(record.timestamp)
    if not FIRST_INSTANT <= timestamp <= latest:
        raise FormatError("timestamp")
    if record.action not in actions:
        raise FormatError("action")
    user, run, usage = record.user, record.run, record.usage
    if run is None and record.action == RUN_ACTION:
        raise FormatError("run")
    resource = record.resource
    return Row(  # positional arguments take half the time of keywords
        formats.uuid(record.workspace_id),
        record.id,
        timestamp,
        timestamp if record.recorded_at is None else formats.instant(record.recorded_at),
        record.action,
        record.kind,
        resource.type,
        resource.id,
        resource.name,
        formats.uuid(user.id) if user else None,
        user.name if user else None,
        text.decode() if (text := canonical(record.metadata)) else None,
        record.ip,
        run.id if run else None,
        run.status if run else None,
        usage.credits if usage else 0,
        usage.audio_ms if usage else 0,
        _merged(usage.languages) if usage and usage.languages else [],
    )


def _merged(languages: list[Language]) -> list[Language]:
    """Return the languages sorted by locale, untagged last; the counts of a repeated locale are added up.

    Raises:
        FormatError: a locale is malformed.
    """
    found: dict[str, Language] = {}
    for language in languages:
        locale = formats.UNTAGGED if language.locale is None else formats.locale(language.locale)
        language.locale = locale or None
        same = found.setdefault(locale, language)
        if same is not language:
            same.characters += language.characters
            same.lines += language.lines
            same.corrected += language.corrected
    if len(found) == 1:
        return list(found.values())
    return [found[locale] for locale in sorted(found, key=lambda locale: (locale == formats.UNTAGGED, locale))]
