"""The LRU cache, whose size in bytes is limited."""

from service.lru import LruCache


def test_least_recently_used_values_go_first() -> None:
    """The least recently used values are evicted first; a value larger than the limit is not stored."""
    cache: LruCache[str] = LruCache(10)
    cache.put("a", "A", 4)
    cache.put("b", "B", 4)
    assert cache.get("a") == "A"
    cache.put("c", "C", 4)
    assert (cache.get("a"), cache.get("b"), cache.get("c"), cache.size_bytes) == ("A", None, "C", 8)
    cache.put("d", "D", 11)
    assert cache.get("d") is None
    cache.put("a", "A2", 1)
    assert (cache.get("a"), cache.size_bytes, len(cache)) == ("A2", 5, 2)
