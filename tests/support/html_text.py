"""What an HTML file says: the texts of its elements, its tables, and whatever it would load from elsewhere."""

from html.parser import HTMLParser
from typing import Final

_VOID: Final = frozenset(("meta", "line", "rect"))
_LOADED: Final = frozenset(("src", "href", "srcset", "action", "data", "poster", "background"))


class Page(HTMLParser):
    """A page that was read: every element in order.

    Attributes:
        elements: tag, attributes, and all text inside, blanks collapsed.
        tables: the cells of each table's rows.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], str]] = []
        self.tables: list[list[list[str]]] = []
        self._open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(content.decode())
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element."""
        if tag in _VOID:
            self.elements.append((tag, dict(attrs), ""))
            return
        self._open.append((tag, dict(attrs), []))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element without content."""
        self.elements.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        """Take a text, which is in all open elements."""
        for _, _, texts in self._open:
            texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        """End an element, which must be the last one that began."""
        found, attributes, texts = self._open.pop()
        assert found == tag, (found, tag)
        text = " ".join("".join(texts).split(" ")).strip() if tag == "style" else " ".join("".join(texts).split())
        self.elements.append((tag, attributes, text))
        if tag in {"th", "td"}:
            self.tables[-1][-1].append(text)

    def texts(self, tag: str) -> list[str]:
        """Return the texts of all elements of a kind."""
        return [text for found, _, text in self.elements if found == tag]

    def loads(self) -> list[str]:
        """Return what the page would load, run or lead to."""
        found = [f"{tag} {name}" for tag, attributes, _ in self.elements for name in _LOADED.intersection(attributes)]
        found += [f"{tag} {name}" for tag, attributes, _ in self.elements for name in attributes if name[:2] == "on"]
        found += [tag for tag, _, _ in self.elements if tag in {"script", "link", "iframe", "object", "embed", "form"}]
        return found + [text for text in self.texts("style") if "url(" in text or "@import" in text]
