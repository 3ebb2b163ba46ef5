"""`make image-test`: boots the built image by BIOS and by UEFI, rehearses on it to a sealed bundle, and verifies the bundle here.

Needs qemu-system-x86_64, OVMF and mtools. It walks the serial console; the screens of tty1 go to docs/pictures. A line is printed for each
thing that holds, and the first that does not ends it with exit code 1.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ceremony.words import sha256_hex, words_of
from image.virtual import NotAsExpected, VirtualMachine

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
SCRIPT = "root-generation"
_PROMPT = r"(?m)(^(ORDER)?> |REHEARSAL: type (.|\n)*: |exit code \d+\.\n.*menu\. )\Z"


def holds(what: str, it_does: bool, shown: str = "") -> None:
    """Prints what holds; ends the run when it does not."""
    if not it_does:
        raise NotAsExpected(f"{what}: it does not\n{shown[-3000:]}")
    print(f"  ok  {what}", flush=True)


def stick(path: Path, files: dict[str, bytes] | None = None) -> Path:
    """The image of a USB stick of 64 MB with one FAT file system, and these files on it."""
    with path.open("wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mformat", "-i", path, "-v", "STICK", "::"], check=True)
    for name, octets in (files or {}).items():
        subprocess.run(["mcopy", "-i", path, "-", f"::{name}"], input=octets, check=True)
    return path


def started(machine: VirtualMachine) -> None:
    """Takes the boot menu's second entry, the one with the serial line."""
    machine.wait_for("line mode")
    machine.keys("down", "ret")


def menu(machine: VirtualMachine, number: int) -> None:
    """Chooses an entry of the menu as it stands."""
    machine.wait_quiet(r"Type a number, then Enter: \Z")
    machine.type(str(number))


def back(machine: VirtualMachine) -> str:
    """Reads an entry's text to its end, page by page, and goes back to the menu."""
    shown = ""
    while True:
        shown += machine.wait_quiet(r"(Enter goes back to the menu\.|q leaves --) \Z")
        last = "goes back" in shown
        machine.type("")
        if last:
            return shown


def mounted(machine: VirtualMachine, serial: str, place: str) -> None:
    """Mounts the stick of this serial for a purpose, by the menu."""
    while True:
        menu(machine, 5)
        shown = machine.wait_quiet(r"(none\):|menu\.) \Z")
        if found := re.search(rf"^ *(\d+)  \S+ .* serial {serial}$", shown, re.MULTILINE):
            break
        machine.type("")  # the kernel has not seen it yet
    machine.type(found[1])
    shown = machine.wait_quiet(r"For what.*none\): \Z")
    purpose = re.search(rf"^ *(\d+)  {place} ", shown, re.MULTILINE)
    machine.type(purpose[1] if purpose else "")
    holds(f"a stick is mounted as {place}", f"Mounted as {place}." in back(machine))


def taken_out(machine: VirtualMachine, place: str) -> None:
    """Unmounts what is mounted for this purpose, by the menu."""
    menu(machine, 5)
    shown = machine.wait_quiet(r"none\): \Z")
    found = re.search(rf"^ *(\d+)  take out {place} ", shown, re.MULTILINE)
    machine.type(found[1] if found else "")
    holds(f"{place} is unmounted", "It can be taken out." in back(machine))


def answer(shown: str) -> str:
    """What a person types at a prompt of line mode."""
    if secret := re.search(r"REHEARSAL: type (\S+), never", shown.split("\n> ")[-1]):
        return secret[1]
    question = shown.rpartition("\n\n")[2]
    if typed := re.search(r"Type: ((.|\n)+?)\n(ORDER)?> \Z", question):
        return " ".join(typed[1].split())
    if choice := re.search(r"Choose: ([^,\n]+)", question):
        return choice[1]
    return "" if "Press Enter to go on." in question else "REHEARSAL-42"


def rehearsed(machine: VirtualMachine) -> str:
    """Rehearses the script over the serial line; returns the fingerprint that was announced last."""
    menu(machine, 2)
    shown = machine.wait_quiet(r"none\): \Z")
    found = re.search(rf"^ *(\d+)  {SCRIPT}\.toml$", shown, re.MULTILINE)
    machine.type(found[1] if found else "")
    asked = 0
    while "exit code" not in (shown := machine.wait_quiet(_PROMPT)):
        machine.type(answer(shown))
        asked += 1
    ended = re.search(r"exit code (\d+)", shown)
    announced = re.findall(r"^((?:[0-9a-f]{4} ){15}[0-9a-f]{4})$", shown, re.MULTILINE)
    holds(f"the rehearsal of {SCRIPT} is closed ({asked} answers)", bool(ended and ended[1] == "0" and announced), shown)
    machine.type("")
    return str(announced[-1]).replace(" ", "")


def bundle_holds(image: Path, folder: Path, fingerprint: str, digest: str) -> None:
    """Takes the bundle from the stick and verifies it here, with the commands of this checkout."""
    folder.mkdir()
    subprocess.run(["mcopy", "-s", "-n", "-i", image, "::*", folder], check=True)
    bundle = max((path.parent for path in folder.glob("*/manifest.json")), default=folder)
    command = [sys.executable, "-m", "ceremony", "verify", str(bundle), "--fingerprint", fingerprint]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    holds("the bundle on the stick verifies here: GOOD", ended.returncode == 0 and "Verdict: GOOD" in ended.stdout, ended.stdout)
    holds("verify shows the image that the machine told", f"told by the machine of itself: {digest}" in ended.stdout, ended.stdout)
    opened = json.loads((bundle / "record" / "transcript.jsonl").read_text(encoding="utf-8").splitlines()[0])
    holds("its first line names the image", opened["data"]["machine"]["image_sha256"] == digest)


def machine_holds(machine: VirtualMachine) -> None:
    """What the machine must not have, by its own screen and by the machine check."""
    menu(machine, 8)
    shown = back(machine)
    for line in ("network interfaces: lo", "swap: none", "disks: none"):
        holds(line, f"\n{line}\n" in shown, shown)
    holds("no more modules can be loaded", ", no more can be loaded\n" in shown, shown)
    menu(machine, 4)
    shown = back(machine)
    holds("doctor finds nothing but SoftHSM", "FOUND" not in shown and "OK       interfaces" in shown, shown)


def reader_is_seen(machine: VirtualMachine) -> None:
    """A reader of smart cards put in now is told by pcscd, and is gone when it is pulled."""
    for command, there in (("device_add usb-ccid,id=reader,bus=usb.0", True), ("device_del reader", False)):
        machine.monitor(command)
        for _ in range(20):
            menu(machine, 8)
            if ("CCID" in back(machine)) == there:
                break
        else:
            raise NotAsExpected(f"the reader: {command} had no effect")
        holds(f"a reader that is {'put in' if there else 'pulled out'} is {'seen' if there else 'gone'}", True)


def vendors_medium(machine: VirtualMachine, folder: Path) -> None:
    """A vendor's medium: refused with other words than on paper, taken over with the right ones."""
    sums = f"{sha256_hex(b'module')}  module.so\n".encode()
    machine.put_in(stick(folder / "vendor.img", {"module.so": b"module", "SHA256SUMS": sums}), "VENDOR")
    mounted(machine, "VENDOR", "vendor")
    right = " ".join(words_of(sha256_hex(sums))[:8])
    for typed, said in ((" ".join(words_of(sha256_hex(b"other"))[:8]), "REFUSED:"), (right, "Taken over to /opt/vendor")):
        menu(machine, 6)
        machine.wait_quiet(r"> \Z")
        machine.type(typed)
        shown = back(machine)
        holds(f"the vendor's medium: {said}", said in shown, shown)
    machine.take_out("VENDOR")


def production_is_refused(machine: VirtualMachine, digest: str, folder: Path) -> None:
    """A ceremony on SoftHSM is none, and one whose script names another image is not begun here."""
    script = (ROOT / "ceremony-scripts" / f"{SCRIPT}.toml").read_text(encoding="utf-8")
    module = "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"
    files = {
        "here.toml": f'{script}\n[tool]\nimage_sha256 = "{digest}"\n',
        "elsewhere.toml": f'{script}\n[tool]\nimage_sha256 = "{sha256_hex(b"another")}"\n',
        "site.toml": f'format = 1\n[module]\npath = "{module}"\n[module.environment]\nSOFTHSM2_CONF = "/media/script/softhsm2.conf"\n',
        "softhsm2.conf": "directories.tokendir = /tmp\n",
    }
    machine.put_in(stick(folder / "script.img", {name: text.encode() for name, text in files.items()}), "SCRIPT")
    machine.put_in(stick(folder / "record.img"), "RECORD")
    mounted(machine, "SCRIPT", "script")
    mounted(machine, "RECORD", "record")
    for name, code in (("elsewhere", "IMAGE-DIFFERS"), ("here", "MODULE-IS-SOFTWARE")):
        menu(machine, 1)
        found = re.search(rf"^ *(\d+)  begin {name}\.toml$", machine.wait_quiet(r"none\): \Z"), re.MULTILINE)
        machine.type(found[1] if found else "")
        shown = back(machine)
        holds(f"a ceremony is refused: {code}", f"Code: {code}" in shown and "exit code 7." in shown, shown)
    taken_out(machine, "script")
    taken_out(machine, "record")


def whole_boot(firmware: str, iso: Path, digest: str, folder: Path) -> None:
    """One boot from the boot menu to power off."""
    print(f"{firmware}:", flush=True)
    with VirtualMachine(iso, firmware, folder) as machine:
        started(machine)
        shown = machine.wait_quiet(r"Type a number, then Enter: \Z")
        holds("the first screen has the digest of the build", digest in shown.replace(" ", ""), shown)
        machine.take_out_the_image()
        machine_holds(machine)
        machine.picture(PICTURES / f"ceremony-machine-{firmware}.png")
        reader_is_seen(machine)
        if firmware == "bios":
            vendors_medium(machine, folder)
            production_is_refused(machine, digest, folder)
        image = stick(folder / "outbox.img")
        machine.put_in(image, "OUTBOX")
        mounted(machine, "OUTBOX", "outbox")
        fingerprint = rehearsed(machine)
        taken_out(machine, "outbox")
        machine.take_out("OUTBOX")
        bundle_holds(image, folder / "bundle", fingerprint, digest)
        _app_on_the_screen(machine, firmware)
        menu(machine, 9)
        machine.wait_quiet(r"to do it: \Z")
        machine.type("off")
        machine.wait_off()
        holds("power off ends it", True)


def _app_on_the_screen(machine: VirtualMachine, firmware: str) -> None:
    """The app on tty1, for the picture: a rehearsal begun with the keyboard."""
    machine.keys("2", "ret")
    time.sleep(5)
    machine.keys("4", "ret")  # first-ceremony
    time.sleep(90)
    machine.picture(PICTURES / f"ceremony-machine-app-{firmware}.png")


def too_little_memory(iso: Path, folder: Path) -> None:
    """With half the memory it says so and stops."""
    print("too little memory:", flush=True)
    with VirtualMachine(iso, "bios", folder, memory=512) as machine:
        started(machine)
        machine.wait_for(r"The ceremony machine does not start: it has \d+ MiB of memory and needs 1 GiB")
        holds("it says so and stops", True)


def no_keyboard(iso: Path, folder: Path) -> None:
    """Without a keyboard it says so, and goes on when one is plugged in. The serial menu needs none."""
    print("no keyboard:", flush=True)
    with VirtualMachine(iso, "bios", folder, keyboard=False) as machine:
        machine.wait_for("executed automatically")
        time.sleep(100)
        machine.picture(folder / "no-keyboard.png")
        machine.monitor("device_add usb-kbd,bus=usb.0")
        time.sleep(20)
        machine.picture(folder / "with-keyboard.png")
        same = (folder / "no-keyboard.png").read_bytes() == (folder / "with-keyboard.png").read_bytes()
        holds("the screen went on when a keyboard was plugged in", not same)


def main(arguments: list[str]) -> int:
    """Runs all parts, or those named: bios, uefi, memory, keyboard."""
    out = ROOT / ".image" / "out"
    iso = out / "ceremony-machine.iso"
    digest = re.findall(r"^[0-9a-f]{64}$", (out / "ceremony-machine.digests").read_text(encoding="utf-8"), re.MULTILINE)[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts: dict[str, Callable[[], None]] = {
            "bios": lambda: whole_boot("bios", iso, digest, folder / "bios"),
            "uefi": lambda: whole_boot("uefi", iso, digest, folder / "uefi"),
            "memory": lambda: too_little_memory(iso, folder / "memory"),
            "keyboard": lambda: no_keyboard(iso, folder / "keyboard"),
        }
        for part in arguments or parts:
            begun = time.monotonic()
            try:
                parts[part]()
            except NotAsExpected as failed:
                print(f"NOT AS EXPECTED: {failed}")
                return 1
            print(f"  {part}: {time.monotonic() - begun:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
