"""What a reader of a PDF sees, told by another library than the one that set it."""

import io

import pypdf


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, header and footer among it."""
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages]


def solid(text: str) -> str:
    """Text without any white space: where lines are broken says nothing."""
    return "".join(text.split())


def running_text(pdf: bytes, *around: str) -> str:
    """The whole text without white space, and without what stands `around` on every page, so that nothing is cut by a page's end."""
    whole = []
    pages = pages_of(pdf)
    for number, page in enumerate(pages, 1):
        text = solid(page)
        for one in (*around, f"page {number} of {len(pages)}"):
            text = text.replace(solid(one), "")
        whole.append(text)
    return "".join(whole)
