"""Validate lines without loading them: how many are good, every fault, and what the others lack.

Pure: takes lines, writes nothing.
"""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from pipeline.contract.tables import STATUSES
from pipeline.mapping.finished import finished
from pipeline.mapping.lenient import object_of
from pipeline.mapping.nearest import nearest
from pipeline.validation.records import Record, Rejection, Resource, Run, Usage, User
from pipeline.validation.validate import faults, validate

_INDEX: Final = re.compile(r"\[[0-9]+\]")
_KEYS_SHOWN: Final = 200  # of unknown keys, in case they are data
_FIRST: Final = 5  # places that a fault names
_OBJECTS: Final[dict[str, type[msgspec.Struct]]] = {"resource": Resource, "user": User, "run": Run, "usage": Usage}


class Line(msgspec.Struct, frozen=True):
    """A line without its newline, and where it comes from; `whole` is false if the file ends without a newline."""

    content: bytes
    file: str
    number: int
    whole: bool = True
    dropped: int = 0  # bytes of a line that is too long to be kept


class Fault(msgspec.Struct):
    """One kind of fault: what is wrong with a field, in how many lines, and the first of them."""

    reason: str
    field: str | None
    lines: int
    message: str  # of the first line
    suggestion: str | None  # the allowed value that was probably meant
    first: list[str]  # file:line


class Key(msgspec.Struct):
    """A key of the records: whether it is required and known, and in how many lines it is."""

    path: str
    required: bool
    known: bool
    lines: int
    suggestion: str | None  # for an unknown key: the field that was probably meant


class Trial(msgspec.Struct, kw_only=True):
    """What a load of some lines would do."""

    lines: int = 0
    good: int = 0
    rejected: int = 0
    blank: int = 0
    reasons: dict[str, int] = msgspec.field(default_factory=dict)  # rejected lines, by what a run would record
    faults: list[Fault] = []
    keys: list[Key] = []
    finished: str = ""  # one good line, with as much of the first bad one as is good, else of the first


def try_lines(lines: Iterable[Line], latest: int, actions: tuple[str, ...]) -> Trial:
    """Validate lines.

    Args:
        lines: of one or several files.
        latest: the last instant that `timestamp` may have, in microseconds UTC.
        actions: those that are accepted.
    """
    trial, found, counted = Trial(), _Faults(actions), _Keys()
    first_bad = first_good = b""
    for line in lines:
        trial.lines += 1
        rules: dict[str, Any] = {"actions": actions, "torn": not line.whole, "dropped": line.dropped}
        verdict = validate(line.content, latest, **rules)
        if verdict is None:
            trial.blank += 1
            continue
        counted.add(line.content)
        if not isinstance(verdict, Rejection):
            trial.good += 1
            first_good = first_good or line.content
            continue
        trial.rejected += 1
        first_bad = first_bad or line.content
        trial.reasons[verdict.reason] = trial.reasons.get(verdict.reason, 0) + 1
        found.add(line, faults(line.content, latest, **rules))
    trial.faults = found.most_frequent_first()
    trial.keys = counted.keys()
    trial.finished = finished(first_bad or first_good, latest, actions).decode()
    return trial


class _Faults:
    """The faults of all lines, by kind."""

    def __init__(self, actions: tuple[str, ...]) -> None:
        self._found: dict[tuple[str, str | None], Fault] = {}
        self._allowed = {"action": actions, "run.status": STATUSES}

    def add(self, line: Line, rejections: list[Rejection]) -> None:
        """Count the faults of a line, each kind once."""
        kinds: dict[tuple[str, str | None], Rejection] = {}
        for one in rejections:
            kinds.setdefault((one.reason, _INDEX.sub("[]", one.field) if one.field else None), one)
        for kind, one in kinds.items():
            if kind not in self._found:
                self._found[kind] = Fault(*kind, 0, one.message, self._suggestion(line, one), [])
            known = self._found[kind]
            known.lines += 1
            if len(known.first) < _FIRST:
                known.first.append(f"{line.file}:{line.number}")

    def _suggestion(self, line: Line, fault: Rejection) -> str | None:
        allowed = self._allowed.get(fault.field or "")
        if fault.reason != "invalid_value" or allowed is None:
            return None
        value: Any = object_of(line.content)
        for key in str(fault.field).split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return nearest(value, allowed) if isinstance(value, str) else None

    def most_frequent_first(self) -> list[Fault]:
        """Return the faults, the most frequent first."""
        return sorted(self._found.values(), key=lambda fault: -fault.lines)


class _Keys:
    """In how many lines each key is."""

    def __init__(self) -> None:
        self._lines: Counter[str] = Counter()

    def add(self, content: bytes) -> None:
        """Count the keys of a line, if it is a JSON object."""
        record = object_of(content)
        found = set(record)
        for name in _OBJECTS:
            if isinstance(record.get(name), dict):
                found.update(f"{name}.{key}" for key in record[name])
        self._lines.update(found)

    def keys(self) -> list[Key]:
        """Return the known keys in the order of the contract, then the unknown ones, the most frequent first."""
        known = _known_keys()
        listed = [Key(path, required, known=True, lines=self._lines[path], suggestion=None) for path, required in known]
        missing = [key.path for key in listed if not key.lines]
        listed_paths = dict(known)
        counts = sorted(self._lines.items(), key=lambda one: (-one[1], one[0]))
        unknown = [path for path, _ in counts if path not in listed_paths]
        return [
            *listed,
            *(
                Key(path, required=False, known=False, lines=self._lines[path], suggestion=nearest(path, missing))
                for path in unknown[:_KEYS_SHOWN]
            ),
        ]


def _known_keys() -> list[tuple[str, bool]]:
    """Return the path of each known key, and whether it is required where its object is there."""
    found: list[tuple[str, bool]] = []
    for field in msgspec.structs.fields(Record):
        found.append((field.encode_name, field.required))
        if field.encode_name in _OBJECTS:
            inner = msgspec.structs.fields(_OBJECTS[field.encode_name])
            found += [(f"{field.encode_name}.{one.encode_name}", one.required) for one in inner]
    return found


def missing_keys(keys: Iterable[Key]) -> list[str]:
    """Return the paths of required keys that no line has."""
    return [key.path for key in keys if key.required and not key.lines and "." not in key.path]
