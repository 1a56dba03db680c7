"""All changes of a module: those of Cosmic Ray, and four kinds that it lacks.

Cosmic Ray replaces operators, comparisons, numbers and booleans, negates conditions, empties loops and removes
decorators, everywhere in a file. It does not remove or swap statements and changes no SQL, although a commit consists
of little else, and it fails at a caught exception whose name has a dot.
"""

import ast
import itertools
import re
from collections.abc import Iterator
from typing import Any, Final

from tests.faults.mutants.mutant import Mutant, compare

# A pattern and what replaces it, in texts that are SQL.
_SQL_EDITS: Final = (
    (r" where (?:[^()\"]|\([^()\"]*\))*", ""),
    (r" order by \w+", r"\g<0> desc"),
    (r" or replace ", " or ignore "),
    (r" or ignore ", " or replace "),
    (r" = (?='|\?)", " <> "),
    (r" <> ", " = "),
    (r" primary key", ""),
)
# Cosmic Ray replaces each operator by eleven others. Nearly all of them die of the same test, and flatter the score.
_ONE_OF_ELEVEN: Final = {
    f"core/ReplaceBinaryOperator_{replacement}"
    for replacement in (
        *("Add_Sub", "Sub_Add", "Mul_FloorDiv", "Div_Mul", "FloorDiv_Mul", "Mod_FloorDiv"),
        *("Pow_Mul", "LShift_RShift", "RShift_LShift", "BitOr_BitAnd", "BitAnd_BitOr", "BitXor_BitOr"),
    )
}
# Whether equal texts or small numbers are one object is a matter of the interpreter.
_IDENTITY: Final = re.compile(r"ReplaceComparisonOperator_(Eq|NotEq|LtE?|GtE?)_Is")
_SQL: Final = re.compile(r"\"\"\"\s*create table|\"(?:select|delete|insert|update)\b")


def changes(module: str, original: str) -> list[Mutant]:
    """Return a mutant for each possible change. Different ways to the same source count once."""
    kinds = (_by_cosmic_ray, without_a_statement, swapped, uncaught, other_sql)
    sources = dict.fromkeys(source for kind in kinds for source in kind(original))
    return [compare(module, original, source) for source in sources if source != original]


def _by_cosmic_ray(original: str) -> Iterator[str]:
    # Only this command needs the tool, which comes with many other packages.
    from cosmic_ray.ast import ast_nodes, get_ast  # noqa: PLC0415
    from cosmic_ray.mutating import mutate_code  # noqa: PLC0415
    from cosmic_ray.plugins import get_operator, operator_names  # noqa: PLC0415

    nodes = list(ast_nodes(get_ast(original)))
    for name in operator_names():
        kind: Any = get_operator(name)
        if kind.arguments() or name == "core/ExceptionReplacer":  # the former replace one given variable
            continue
        if _IDENTITY.search(name) or (name.startswith("core/ReplaceBinary") and name not in _ONE_OF_ELEVEN):
            continue
        operator = kind()
        for occurrence in range(sum(len(list(operator.mutation_positions(node))) for node in nodes)):
            yield mutate_code(original, operator, occurrence)


def without_a_statement(original: str) -> Iterator[str]:
    """Yield the source without each statement that has an effect."""
    for node in ast.walk(ast.parse(original)):
        if isinstance(node, ast.stmt) and _has_effect(node):
            yield _replaced(original, node, "pass")


def swapped(original: str) -> Iterator[str]:
    """Yield the source with each two neighbouring statements that have an effect in the other order."""
    for node in ast.walk(ast.parse(original)):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for first, second in itertools.pairwise(body):
            if all(_has_effect(part) or isinstance(part, ast.For | ast.If) for part in (first, second)):
                texts = [ast.get_source_segment(original, part) or "" for part in (first, second)]
                yield _replaced(_replaced(original, second, texts[0]), first, texts[1])


def uncaught(original: str) -> Iterator[str]:
    """Yield the source without each exception that it catches."""
    for node in ast.walk(ast.parse(original)):
        if isinstance(node, ast.ExceptHandler) and node.type:
            for kind in node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]:
                yield _replaced(original, kind, "NotImplementedError")


def other_sql(original: str) -> Iterator[str]:
    """Yield the source with each clause of SQL removed or turned around."""
    for node in ast.walk(ast.parse(original)):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        text = ast.get_source_segment(original, node) or ""
        if _SQL.match(text):
            for pattern, replacement in _SQL_EDITS:
                for found in re.finditer(pattern, text):
                    changed = text[: found.start()] + found.expand(replacement) + text[found.end() :]
                    yield _replaced(original, node, changed)


def _has_effect(statement: ast.stmt) -> bool:
    """Return whether it calls, raises, deletes, leaves early, or changes something that has no name of its own."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call | ast.Await)
    if isinstance(statement, ast.Assign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)
    return isinstance(statement, ast.Raise | ast.Delete) or (isinstance(statement, ast.Return) and not statement.value)


def _replaced(original: str, node: ast.stmt | ast.expr, text: str) -> str:
    """Return the source with another text where a node is. The positions of nodes count bytes of UTF-8."""
    lines = original.encode().splitlines(keepends=True)
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
    return b"".join([*lines[:first], head, text.encode(), tail, *lines[last + 1 :]]).decode()
