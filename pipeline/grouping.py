"""Items in groups of bounded size."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_Item = TypeVar("_Item")


def grouped(items: Iterable[_Item], size: Callable[[_Item], int], limit: int) -> Iterator[list[_Item]]:
    """Yield items in their order, as many together as do not exceed a limit; an item larger than that comes alone.

    Args:
        items: in any number.
        size: gives the size of an item.
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
