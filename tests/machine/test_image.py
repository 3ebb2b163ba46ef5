"""The digest that the ceremony machine's image tells of itself, and what a ceremony demands of it."""

from pathlib import Path

import pytest

from ceremony.errors import CeremonyError, ExitCode
from ceremony.machine import image

DIGEST = "5a" * 32


def tree(folder: Path, told: str | None) -> Path:
    if told is not None:
        (folder / "run").mkdir()
        (folder / image.TOLD_AT).write_text(told)
    return folder


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (f"{DIGEST}\n", DIGEST),
        (None, None),
        ("", None),
        (DIGEST, None),
        (f"{DIGEST.upper()}\n", None),
        (f"{DIGEST}\n{DIGEST}\n", None),
        (f"{DIGEST}  root.squashfs\n", None),
    ],
)
def test_the_digest_is_one_line_of_64_hex_digits_or_none(tmp_path: Path, told: str | None, read: str | None) -> None:
    assert image.image_sha256(tree(tmp_path, told)) == read


def test_a_script_that_names_an_image_wants_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "image_sha256", lambda: DIGEST)
    image.require_image(None)
    image.require_image(DIGEST)
    with pytest.raises(CeremonyError, match=f"wants the image {'6b' * 32}; this machine runs the image {DIGEST}") as refused:
        image.require_image("6b" * 32)
    assert (refused.value.code, refused.value.exit_code) == ("IMAGE-DIFFERS", ExitCode.REFUSED)
    monkeypatch.setattr(image, "image_sha256", lambda: None)
    with pytest.raises(CeremonyError, match="no image that tells its digest"):
        image.require_image(DIGEST)
