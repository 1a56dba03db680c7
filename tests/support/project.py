"""Where the project is, and its pages."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

# Every page in Markdown that people read; what is in hidden folders is of tools.
PAGES: Final = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("**/*.md")), ROOT / "data/README.md"]
