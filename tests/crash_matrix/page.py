"""The parts of docs/crash-matrix.md that are measured: each between two marks, written by the program that measured it."""

from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "crash-matrix.md"


def written(part: str, text: str) -> None:
    """Puts `text` in place of what the page says of this part."""
    begin, end = f"<!-- begin: {part} -->\n", f"<!-- end: {part} -->\n"
    page = PAGE.read_text(encoding="utf-8")
    before, after = page[: page.index(begin) + len(begin)], page[page.index(end) :]
    PAGE.write_text(before + text + after, encoding="utf-8")
