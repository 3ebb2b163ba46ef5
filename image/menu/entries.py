"""What stands behind each number of the menu. Each entry asks what it needs, does one thing, and comes back."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from ceremony.pki.names import shown_text
from ceremony.shipped import folder as shipped_scripts
from image.menu import facts, media, power, programs, screen, vendor

Entry = Callable[[bool], None]
"""An entry; told whether this is a terminal for line mode alone."""

_KEYMAPS = Path("/usr/lib/ceremony-machine/keymaps")
_REHEARSALS = Path(programs.HOME, "rehearsals")


def _scripts(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.toml")) if path.name != "site.toml" and not path.name.endswith(".answers.toml")]


def _bundles(folder: Path) -> list[Path]:
    return [path.parent for path in sorted(folder.glob("*/manifest.json"))]


def _unfinished(folder: Path, pattern: str) -> list[Path]:
    """Ceremonies below `folder` that can go on: their last line closes or aborts nothing. What is no plain file is none."""
    ended = (b'"type":"closed"}', b'"type":"aborted"}')
    found = [path for path in sorted(folder.glob(pattern)) if path.is_file() and not path.is_symlink() and not path.parent.is_symlink()]
    return [path.parent for path in found if not _end_of(path).endswith(ended)]


def _end_of(path: Path) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 100))
        return file.read(100).rstrip(b"\n")


def media_lines() -> list[str]:
    """Which medium is where, in two columns."""
    cells = [f"{place:12} {device or '-'}" for place, device in media.mounted().items()]
    return ["Media:"] + [f"  {cells[number]:36}{cells[number + 3]}" for number in range(3)]


def ceremony(plain: bool) -> None:
    """A ceremony: begun with a script of the medium `script`, or one of the medium `record` gone on with."""
    there, record = media.mounted(), media.MEDIA / "record"
    if not there["record"]:
        screen.say(
            "A ceremony's folder must outlive a power cut, and this machine has only memory.",
            "Put in an empty medium of its own for it, and mount it as `record` (entry 5).",
        )
        return screen.go_on()
    begun = _unfinished(record, "*/transcript.jsonl")
    scripts = _scripts(media.MEDIA / "script") if there["script"] else []
    if not begun and not scripts:
        screen.say("Nothing to hold: mount the medium with script and site file as `script` (entry 5).")
        return screen.go_on()
    chosen = screen.choose("Which?", [f"go on with {path.name}" for path in begun] + [f"begin {path.name}" for path in scripts])
    if chosen is None:
        return None
    boxes = [f"--{name}={media.MEDIA / name}" for name in ("inbox", "outbox", "credentials")]
    options = [*boxes, *(["--plain"] if plain else [])]
    if chosen < len(begun):
        return _told(programs.as_user("ceremony", "resume", f"--dir={begun[chosen]}", *options))
    script = scripts[chosen - len(begun)]
    site = script.with_name("site.toml")
    given = [f"--site={site}"] if site.exists() else []
    earlier = [f"--previous={bundle}" for bundle in _bundles(script.parent)]
    return _told(programs.as_user("ceremony", "run", str(script), f"--dir={record / script.stem}", *given, *earlier, *options))


def rehearsal(plain: bool) -> None:
    """A rehearsal of a script of the medium `script`, or of a shipped one; its bundle goes to the medium `outbox`, if there is one."""
    there = media.mounted()
    options = [f"--outbox={media.MEDIA / 'outbox'}"] if there["outbox"] else []
    options += ["--plain"] if plain else []
    own = _scripts(media.MEDIA / "script") if there["script"] else []
    scripts = [*own, *_scripts(shipped_scripts())]
    begun = _unfinished(_REHEARSALS, "*/rehearsal/transcript.jsonl")
    choices = [f"go on with {path.parent.name}" for path in begun]
    choices += [f"{path.name}{' (of the medium)' if path in own else ''}" for path in scripts]
    chosen = screen.choose("Rehearse which?", choices)
    if chosen is None:
        return None
    if chosen < len(begun):
        return _told(programs.as_user("ceremony", "resume", f"--dir={begun[chosen]}", *options))
    chosen -= len(begun)
    folder = Path(tempfile.mkdtemp(prefix=f"{scripts[chosen].stem}-", dir=_REHEARSALS), "rehearsal")
    subprocess.run(["chown", "-R", "ceremony:ceremony", folder.parent], check=True)
    return _told(programs.as_user("ceremony", "rehearse", str(scripts[chosen]), f"--dir={folder}", *options))


def verify(plain: bool) -> None:
    """Verifies a bundle of any medium, or of a rehearsal in memory."""
    found = [bundle for place in media.PLACES for bundle in _bundles(media.MEDIA / place)]
    found += [manifest.parent for manifest in sorted(_REHEARSALS.glob("*/rehearsal/bundles/*/manifest.json"))]
    if not found:
        screen.say("There is no bundle: mount its medium as `inbox` (entry 5).")
        return screen.go_on()
    chosen = screen.choose("Verify which?", [str(bundle) for bundle in found])
    if chosen is None:
        return None
    typed = screen.ask("Fingerprint from the paper, 64 hex digits or 32 words (Enter for none):")
    options = [f"--fingerprint={typed}"] if typed else []
    return screen.pages(programs.said_by("ceremony", "verify", str(found[chosen]), *options))


def doctor(plain: bool) -> None:
    """Looks at machine, terminal and module, with the site file of the medium `script` if there is one."""
    site = media.MEDIA / "script" / "site.toml"
    screen.say("Looking ...")
    screen.pages(programs.said_by("ceremony", "doctor", *([f"--site={site}"] if site.exists() else [])))


def media_in_and_out(plain: bool) -> None:
    """Mounts a medium by its name for one purpose, or unmounts it."""
    print(*media_lines(), sep="\n")
    there = {place: device for place, device in media.mounted().items() if device}
    free = [device for device in media.devices() if device.name not in there.values()]
    choices = [f"take out {place:11} {device}" for place, device in there.items()] + [device.line() for device in free]
    if not choices:
        screen.say("", "No medium is in. Put one in and choose this entry again.")
        return screen.go_on()
    chosen = screen.choose("Which medium?", choices)
    if chosen is None:
        return None
    if chosen < len(there):
        problem = media.unmount(list(there)[chosen])
        screen.say(problem or "Written out and unmounted. It can be taken out.")
        return screen.go_on()
    places = [place for place in media.PLACES if place not in there]
    purpose = screen.choose("For what?", [f"{place:12} {media.PLACES[place]}" for place in places])
    if purpose is not None:
        problem = media.mount(free[chosen - len(there)].name, places[purpose])
        screen.say(problem or f"Mounted as {places[purpose]}.")
        screen.go_on()
    return None


def vendors_module(plain: bool) -> None:
    """Takes the vendor's module over into memory, if its list of files is the one on paper."""
    if not media.mounted()["vendor"]:
        screen.say("Mount the medium with the vendor's module as `vendor` (entry 5). docs/ceremony-machine.md says how to make it.")
        return screen.go_on()
    screen.say(
        f"From the paper: the SHA-256 of the medium's {vendor.SUMS}, as 64 hex digits,",
        f"as 32 words, or at least its first {vendor.WORDS_AT_LEAST} words. It is not shown before it was typed.",
    )
    typed = screen.ask(">")
    if not typed:
        return None
    try:
        digest = vendor.taken_over(media.MEDIA / "vendor", typed)
    except vendor.Refused as refused:
        screen.say(f"REFUSED: {refused}", "Nothing of it was taken over.")
        return screen.go_on()
    screen.say(f"Taken over to {vendor.TAKEN_TO}, as on paper:", digest, media.unmount("vendor") or "The medium can be taken out.")
    return screen.go_on()


def keyboard(plain: bool) -> None:
    """Another keyboard layout; the image starts with `us`."""
    names = sorted(path.stem for path in _KEYMAPS.glob("*.map"))
    print(*(f"  {'  '.join(f'{name:14}' for name in names[start : start + 4])}".rstrip() for start in range(0, len(names), 4)), sep="\n")
    typed = screen.ask("Layout (Enter for none):")
    if typed in names:
        ended = subprocess.run(["loadkeys", "--quiet", str(_KEYMAPS / f"{typed}.map")], capture_output=True, check=False)
        screen.say("Changed. Try it: type some letters and digits." if ended.returncode == 0 else "The console did not take it.")
        if ended.returncode == 0:
            screen.ask(">")
    elif typed:
        screen.say("That is none of them.")
        screen.go_on()


def this_machine(plain: bool) -> None:
    """What the kernel tells of this machine, and the readers that pcscd sees."""
    print(*facts.lines(), sep="\n")
    print(*(f"readers: {shown_text(line)}" for line in programs.said_by("opensc-tool", "--list-readers")), sep="\n")
    screen.go_on()


def power_off(plain: bool) -> None:
    """Ends all programs, unmounts all media, wipes what can be wiped, and switches off."""
    screen.say("Ends every program, also a ceremony on another console, and unmounts every medium.")
    if screen.ask("Type `off` to do it:") == "off":
        screen.say("Power off. Memory keeps its contents for seconds to minutes after that.")
        screen.say(*power.off())
        screen.go_on()


def _told(exit_code: int) -> None:
    screen.say("", f"The program has ended with exit code {exit_code}.")
    screen.go_on()
