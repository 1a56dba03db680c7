"""Items in groups of bounded size."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_Item = TypeVar("_Item")


def grouped(items: Iterable[_Item], size: Callable[[_Item], int], limit: int) -> Iterator[list[_Item]]:
    """Yield items in order, in groups as large as a limit allows; an item that exceeds it gets a group of its own.

    Args:
        items: any number of items.
        size: returns the size of an item.
        limit: the largest size of a group.
    """
    group: list[_Item] = []
    total = 0
    for item in items:
        more = size(item)
        if group and total + more > limit:
            yield group
            group, total = [], 0
        group.append(item)
        total += more
    if group:
        yield group
