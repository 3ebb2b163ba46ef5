"""The menu of the ceremony machine, as far as it can be tried without one: media on a made-up tree, the vendor's medium, facts."""

from pathlib import Path

import pytest

from ceremony.words import sha256_hex, words_of
from image.menu import entries, facts, media, screen, vendor

USB = "sys/devices/pci0/usb1/1-2"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A stick sdb with one partition, the image's own stick sda, an empty card reader sdc, a loop device."""
    disk = f"{USB}/1-2:1.0/host0/target0:0:0/0:0:0:0"
    files = {
        f"{USB}/idVendor": "0781\n",
        f"{USB}/serial": "AA\x1b[31m04\n",
        f"{disk}/vendor": "SanDisk \n",
        f"{disk}/model": "Ultra\n",
        "sys/block/sdb/size": "125000\n",
        "sys/block/sdb/sdb1/size": "124000\n",
        "sys/block/sda/size": "200000\n",
        "sys/block/sdc/size": "0\n",
        "sys/block/loop0/size": "100\n",
        "dev/sda": "\0" * media._ISO_VOLUME + "CEREMONY",
        "dev/sdb": "",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "sys/block/sdb/device").symlink_to(tmp_path / disk)
    return tmp_path


def test_media_are_told_by_name_size_and_serial_and_the_image_itself_is_none(machine: Path) -> None:
    (stick,) = media.devices(machine)
    assert (stick.name, stick.size, stick.model) == ("sdb1", 124000 * 512, "SanDisk Ultra")
    assert stick.serial == "AA\x1b[31m04" and "63 MB" in stick.line()


def test_what_a_medium_is_called_can_write_nothing_on_the_screen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screen, "ask", lambda text: "2")
    assert screen.choose("Which?", ["one", "\x1b[2J\u202etwo"]) == 1
    assert capsys.readouterr().out == "  1  one\n  2  \\u{1B}[2J\\u{202E}two\n"


def test_a_ceremony_goes_on_until_it_is_closed_or_aborted(tmp_path: Path) -> None:
    for name, last in (("open", "paused"), ("closed", "closed"), ("aborted", "aborted")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "transcript.jsonl").write_text(f'{{"seq":1,"type":"opened"}}\n{{"seq":2,"type":"{last}"}}\n')
    (tmp_path / "link").symlink_to(tmp_path / "open")
    assert entries._unfinished(tmp_path, "*/transcript.jsonl") == [tmp_path / "open"]


@pytest.mark.parametrize("place", list(media.PLACES))
@pytest.mark.parametrize("filesystem", ["vfat", "exfat", "ext4", "iso9660", "udf"])
def test_nothing_on_a_medium_can_be_run_and_only_two_are_written(filesystem: str, place: str) -> None:
    options = media.options_of(filesystem, place).split(",")
    assert {"nosuid", "nodev", "noexec"} <= set(options)
    assert ("rw" in options, "ro" in options) == ((True, False) if place in ("record", "outbox") else (False, True))
    assert ("noload" in options) == (filesystem == "ext4" and "ro" in options)


def vendors(folder: Path, **files: str) -> Path:
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "module.so").write_text("ELF")
    sums = f"{sha256_hex(b'ELF')}  lib/module.so\n"
    for name, text in {"SHA256SUMS": sums, **files}.items():
        (folder / name).write_text(text)
    return folder


def test_a_vendors_medium_is_taken_over_by_the_digest_on_paper(tmp_path: Path) -> None:
    medium, target = vendors(tmp_path / "medium"), tmp_path / "vendor"
    digest = sha256_hex((medium / "SHA256SUMS").read_bytes())
    assert vendor.taken_over(medium, " ".join(words_of(digest)[:8]), target) == digest
    assert (target / "lib" / "module.so").read_text() == "ELF"
    with pytest.raises(vendor.Refused, match="already"):
        vendor.taken_over(medium, digest, target)


def test_what_is_typed_is_the_whole_digest_or_its_first_words() -> None:
    digest = sha256_hex(b"x")
    words = words_of(digest)
    for typed in (digest, " ".join(digest[at : at + 4] for at in range(0, 64, 4)), " ".join(words), " ".join(words[:8]).upper()):
        assert vendor.is_on_paper(digest, typed)
    for typed in ("", digest[:63], " ".join(words[:7]), " ".join(words[1:9]), " ".join([*words[:8], "aardvark"]), "yes"):
        assert not vendor.is_on_paper(digest, typed)


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"more.so": "x"}, "does not stand in SHA256SUMS"),
        ({"SHA256SUMS": f"{sha256_hex(b'ELF')}  lib/module.so\n{sha256_hex(b'')}  gone\n"}, "gone is missing"),
        ({"SHA256SUMS": f"{sha256_hex(b'other')}  lib/module.so\n"}, "is not the file of SHA256SUMS"),
        ({"SHA256SUMS": "anything\n"}, "a line that is none of sha256sum"),
        ({"SHA256SUMS": ""}, "a line that is none of sha256sum"),
    ],
)
def test_a_vendors_medium_that_is_not_as_its_list_says_is_refused_whole(tmp_path: Path, files: dict[str, str], why: str) -> None:
    medium = vendors(tmp_path / "medium", **files)
    with pytest.raises(vendor.Refused, match=why):
        vendor.taken_over(medium, sha256_hex((medium / "SHA256SUMS").read_bytes()), tmp_path / "vendor")
    assert [path.name for path in tmp_path.iterdir()] == ["medium"]


def test_a_vendors_medium_with_another_list_than_on_paper_or_a_link_is_refused(tmp_path: Path) -> None:
    medium = vendors(tmp_path / "medium")
    with pytest.raises(vendor.Refused, match="is not the one on the paper"):
        vendor.taken_over(medium, sha256_hex(b"another"), tmp_path / "vendor")
    (medium / "link").symlink_to("/etc/shadow")
    with pytest.raises(vendor.Refused, match="is a link"):
        vendor.taken_over(medium, sha256_hex((medium / "SHA256SUMS").read_bytes()), tmp_path / "vendor")
    (medium / "SHA256SUMS").unlink()
    (medium / "link").unlink()
    with pytest.raises(vendor.Refused, match="has no SHA256SUMS"):
        vendor.taken_over(medium, "", tmp_path / "vendor")
    assert [path.name for path in tmp_path.iterdir()] == ["medium"]


@pytest.mark.parametrize(
    ("handlers", "there"),
    [("H: Handlers=sysrq kbd leds \n", True), ("H: Handlers=kbd \n", True), ("H: Handlers=mouse0 \n", False), ("", False)],
)
def test_a_keyboard_is_what_leads_to_the_console(tmp_path: Path, handlers: str, there: bool) -> None:
    (tmp_path / "proc/bus/input").mkdir(parents=True)
    (tmp_path / "proc/bus/input/devices").write_text(f"I: Bus=0011\n{handlers}\n")
    assert facts.has_keyboard(tmp_path) == there
