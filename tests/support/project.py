"""The project's folder and its pages."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

# Every Markdown page for people. Pages in hidden folders belong to tools.
PAGES: Final = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("**/*.md")), ROOT / "data/README.md"]
