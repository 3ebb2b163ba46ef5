"""QR codes on the screen: the modules are those of the code, a reader reads them, and what does not fit is said."""

import base64
import io
import shutil
import subprocess
from pathlib import Path

import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from ceremony.engine.step import Ask
from ceremony.plain import Plain
from ceremony.qr import MOST_CODES, Run, Symbol, codes_of, drawn, joined
from ceremony.tui.qr_codes import QrCodes
from tests.faces import fake_ceremony as fake
from tests.faces.driving import Driver, drive
from tests.faces.terminal import Terminal

FINGERPRINT = fake.FINGERPRINT.upper()
PROOF = base64.b32encode(bytes(range(250)) * 2).decode().rstrip("=")
"""As long as a proof certificate of a P-384 root, DER."""
CELL = (8, 16)
"""Pixels of a character on a console, across and down."""
READ = Ask(key="qr/fingerprint/read", text="Were the QR codes read?", by="admin", choices=("read", "not read"), qr=FINGERPRINT)


def dots(lines: list[list[Run]]) -> list[list[bool]]:
    """What the lines look like on a dark screen, half a cell a dot; True is dark."""
    rows: list[list[bool]] = []
    for line in lines:
        cells = [(character, light) for text, light in line for character in text]
        for half in (0, 1):
            rows.append([not (light ^ (character == "\u2580" and half == 0)) for character, light in cells])
    return rows


def modules(lines: list[list[Run]], *, half_blocks: bool) -> list[list[bool]]:
    picture = dots(lines)
    return picture if half_blocks else [row[::2] for row in picture[::2]]


def read_by_zbar(symbols: list[list[list[Run]]], folder: Path) -> list[str]:
    """What an independent reader makes of the pictures of these codes."""
    if shutil.which("zbarimg") is None:
        pytest.skip("no zbarimg on this machine: the modules are compared all the same")
    found = []
    for number, lines in enumerate(symbols):
        # A frame of dark around it, as the screen has, and each half cell as a square of pixels.
        picture = dots(lines)
        width = len(picture[0]) + 8
        framed = [[True] * width] * 4 + [[True] * 4 + row + [True] * 4 for row in picture] + [[True] * width] * 4
        pixels = [[str(int(dot)) for dot in row for _ in range(CELL[0])] for row in framed for _ in range(CELL[1] // 2)]
        place = folder / f"{number}.pbm"
        place.write_text(f"P1\n{len(pixels[0])} {len(pixels)}\n" + "\n".join(" ".join(row) for row in pixels) + "\n")
        said = subprocess.run(["zbarimg", "-q", "--raw", str(place)], capture_output=True, text=True, check=True)
        found.append(said.stdout.strip())
    return found


@pytest.mark.parametrize(
    ("text", "columns", "lines", "half_blocks", "count"),
    [
        (FINGERPRINT, 80, 23, False, 4),
        (FINGERPRINT, 80, 23, True, 1),
        (FINGERPRINT, 128, 47, False, 1),
        (PROOF, 80, 23, True, 6),
        (PROOF, 128, 47, False, 6),
        (PROOF, 240, 66, False, 3),
        (PROOF, 80, 23, False, 0),
    ],
)
def test_what_fits_is_read_and_what_does_not_is_left_out(
    text: str, columns: int, lines: int, half_blocks: bool, count: int, tmp_path: Path
) -> None:
    codes = codes_of(text, columns, lines, half_blocks=half_blocks)
    assert len(codes) == count
    pictures = [drawn(code, half_blocks=half_blocks) for code in codes]
    for picture in pictures:
        assert len(picture) <= lines
        assert all(sum(len(run) for run, _ in line) <= columns for line in picture)
    if count:
        assert joined(read_by_zbar(pictures, tmp_path)[::-1]) == text


@given(st.text("0123456789ABCDEF", min_size=1, max_size=64), st.booleans(), st.booleans())
@settings(max_examples=20, deadline=None)
def test_the_modules_drawn_are_those_of_the_code(text: str, half_blocks: bool, swapped: bool) -> None:
    [code] = codes_of(text, 240, 70, half_blocks=half_blocks)
    made = segno.make(text, error="l", mode="alphanumeric", micro=False)
    wanted = [[bool(module) for module in row] for row in made.matrix_iter(border=4)]
    assert [list(row) for row in code] == wanted
    found = modules(drawn(code, half_blocks=half_blocks, swapped=swapped), half_blocks=half_blocks)
    assert [[module != swapped for module in row] for row in found][: len(wanted)] == wanted


def test_parts_of_two_texts_are_not_joined() -> None:
    with pytest.raises(ValueError, match="do not make a whole"):
        joined(["1/2:AB", "2/3:CD"])
    assert joined(["2/2:CD", "1/2:AB"]) == "ABCD"
    assert codes_of("A" * 395 * MOST_CODES, 240, 66, half_blocks=False) == []


def screen_dots(driver: Driver) -> list[list[Run]]:
    """The lines of the screen but the last, with what is reversed."""
    strips = driver.app.screen._compositor.render_strips()[:-1]
    return [[(segment.text, bool(segment.style and segment.style.reverse)) for segment in strip] for strip in strips]


def code_in(lines: list[list[Run]], size: int) -> Symbol:
    found = modules(lines, half_blocks=False)
    return tuple(tuple(row[:size]) for row in found[:size])


def test_the_app_shows_one_code_after_the_other_on_a_bare_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "linux")
    conduct = fake.FakeCeremony([fake.step(8), READ])
    codes = codes_of(FINGERPRINT, 80, 23, half_blocks=False)

    async def play(driver: Driver) -> None:
        for number, code in enumerate(codes, 1):
            await driver.until(f"REHEARSAL | QR code {number} of 4")
            assert code_in(screen_dots(driver), len(code)) == code
            await driver.press("enter")
        await driver.until("F4: look at the QR codes again.")
        await driver.press("f4")
        await driver.until("QR code 1 of 4")
        await driver.press("s")
        await driver.still()
        light = tuple(tuple(not module for module in row) for row in codes[0])
        assert code_in(screen_dots(driver), len(light)) == light
        await driver.press("escape")
        await driver.until("> 1 read")
        await driver.press("enter")
        await driver.until("The ceremony is done.")

    drive(conduct, play)
    assert conduct.answers == [("qr/fingerprint/read", "read", "admin")]


def test_the_app_says_when_it_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "linux")
    conduct = fake.FakeCeremony([fake.step(8), Ask(key="qr", text="Read?", by="admin", choices=("read", "not read"), qr=PROOF)])

    async def play(driver: Driver) -> None:
        await driver.until("These QR codes do not fit this terminal (80 columns and 24 lines).")
        await driver.pilot.resize_terminal(128, 48)
        await driver.until("QR code 1 of 6")
        await driver.pilot.resize_terminal(40, 12)
        await driver.until("Terminal too small")
        await driver.pilot.resize_terminal(128, 48)
        await driver.until("QR code 1 of 6")
        assert isinstance(driver.app.screen, QrCodes)
        await driver.press("escape")
        await driver.press("2", "enter")
        await driver.until("The ceremony is done.")

    drive(conduct, play)
    assert conduct.answers == [("qr", "not read", "admin")]


def test_line_mode_draws_them_on_a_terminal_and_says_the_text_elsewhere() -> None:
    written = io.StringIO()
    Plain(fake.PEOPLE, read=io.StringIO("read\n"), write=written).ask(READ)
    assert FINGERPRINT in written.getvalue() and "\x1b" not in written.getvalue()
    with Terminal("plain", "qr") as terminal:
        for number in range(1, 5):
            terminal.wait_for(f"QR code {number} of 4. Press Enter to go on: ")
            terminal.type("\r")
        terminal.wait_for("Were the QR codes read?")
        terminal.wait_for("> ")
        terminal.type("read\r")
        assert terminal.exit_code() == 0
        assert "\x1b[7m" in terminal.seen


def test_the_command_of_the_guide_puts_a_proof_together(tmp_path: Path) -> None:
    guide = Path(__file__).parents[2].joinpath("docs/operators-guide.md").read_text()
    [command] = [line.strip() for line in guide.splitlines() if line.strip().startswith("sort -n proof.txt")]
    for size in (499, 502):
        octets = bytes(range(251)) * 2
        text = base64.b32encode(octets[:size]).decode().rstrip("=")
        pictures = [drawn(code, half_blocks=True) for code in codes_of(text, 80, 23, half_blocks=True)]
        read = read_by_zbar(pictures, tmp_path)
        (tmp_path / "proof.txt").write_text("\n".join(read[::-1]) + "\n")
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
        assert (tmp_path / "proof.der").read_bytes() == octets[:size]
