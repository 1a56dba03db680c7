"""One change of a module: where it is, and the source that results."""

import ast
import itertools
from typing import NamedTuple


class Place(NamedTuple):
    """What identifies a mutant, as long as neither its function's name nor the changed lines are edited.

    Attributes:
        module: the path of the file in the project.
        function: the innermost function or class around the change, with dots; empty at the top of the module.
        before: the changed lines, without indentation.
        after: the lines that replace them; empty if they are removed.
    """

    module: str
    function: str
    before: str
    after: str

    def __str__(self) -> str:
        changed = [f"  - {line}" for line in self.before.splitlines()] + [
            f"  + {line}" for line in self.after.splitlines()
        ]
        return "\n".join([f"{self.module} {self.function or '(module)'}", *changed])


class Mutant(NamedTuple):
    """A place and the whole source of the changed module."""

    place: Place
    source: str


def compare(module: str, original: str, source: str) -> Mutant:
    """Return the mutant that `source` is."""
    old, new = original.splitlines(), source.splitlines()
    start = _common(old, new)
    end = _common(old[start:][::-1], new[start:][::-1])
    before, after = old[start : len(old) - end], new[start : len(new) - end]
    while before and not before[0] and not (after and after[0]):  # blank lines above a removed decorator
        start, before, after = start + 1, before[1:], after[1:]
    function = enclosing(ast.parse(original), start + 1)
    return Mutant(Place(module, function, _text(before), _text(after)), source)


def enclosing(tree: ast.Module, line: int) -> str:
    """Return the dotted name of the innermost function or class that a line is in, decorators included."""
    names: list[str] = []
    body: list[ast.stmt] = tree.body
    while found := [node for node in body if _holds(node, line)]:
        (node,) = found
        names.append(node.name)  # type: ignore[attr-defined]
        body = node.body  # type: ignore[attr-defined]
    return ".".join(names)


def _holds(node: ast.stmt, line: int) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return first <= line <= (node.end_lineno or first)


def _common(old: list[str], new: list[str]) -> int:
    return len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False))))


def _text(lines: list[str]) -> str:
    return "\n".join(line.strip() for line in lines)
