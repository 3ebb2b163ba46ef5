"""The kernel modules of the image: `python image/modules.py closure MODULES` prints those allowed, `... check ROOT` looks at what got in.

MODULES is a folder lib/modules/VERSION with the modules.dep of depmod. A module comes in because image/modules.list names it, or because
one of those needs it. Whatever lies where drivers of networks, radios and disks lie in the kernel's tree is refused, even if it is listed,
and so is a kernel that has one built in.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

HERE = Path(__file__).parent

FORBIDDEN = re.compile(
    r"kernel/(net/|drivers/(net|bluetooth|nfc|infiniband|nvme|ata|mmc|memstick|firewire|thunderbolt|nvdimm|block/(?!loop)|target|staging"
    r"|message|vhost|virtio|hv|xen|isdn|atm|ieee802154|usb/(gadget|serial|class/cdc)|misc/mei|scsi/(?!scsi_mod|scsi_common|sd_mod|sr_mod)))"
)
"""Places below lib/modules/VERSION of drivers that have no business on a machine without network and disk."""

_BUILT_IN = re.compile(r"kernel/drivers/(net/(ethernet|wireless|usb|wwan)|bluetooth|nfc|nvme/host|ata|mmc|memstick|firewire|thunderbolt)/")
"""The same for what a kernel has built in: there the protocols of kernel/net always are, and no driver for them to use."""


class Refused(Exception):
    """A module that must not be in the image, or one that is not to be had; the message says which."""


def listed(text: str) -> list[str]:
    """The names in modules.list."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def read_dependencies(text: str) -> dict[str, list[str]]:
    """modules.dep: each module's path, and the paths it needs (modules.dep(5))."""
    return {path: needs.split() for path, _, needs in (line.partition(":") for line in text.splitlines())}


def closure(names: Iterable[str], dependencies: Mapping[str, list[str]], built_in: Iterable[str]) -> list[str]:
    """Paths of the named modules and of all that they need, sorted. Raises Refused."""
    by_name = {_name(path): path for path in dependencies}
    inside = {_name(path) for path in built_in}
    found: set[str] = set()
    for name in names:
        if name in by_name:
            found |= {by_name[name], *dependencies[by_name[name]]}
        elif name not in inside:
            raise Refused(f"the kernel has no module {name}")
    if wrong := sorted(filter(FORBIDDEN.match, found)):
        raise Refused(f"forbidden modules: {', '.join(wrong)}")
    return sorted(found)


def problems_with_built_in(built_in: Iterable[str]) -> Iterator[str]:
    """Drivers in the kernel itself that must not be there."""
    yield from (f"built into the kernel: {path}" for path in built_in if _BUILT_IN.match(path))


def problems_with_tree(root: Path, allowed: Iterable[str]) -> Iterator[str]:
    """Every kernel module that lies anywhere below `root` and is not one of those allowed (paths below lib/modules/VERSION)."""
    known = set(allowed)
    for path in sorted(root.rglob("*.ko*")):
        place = re.sub(r"^.*lib/modules/[^/]+/", "", path.relative_to(root).as_posix())
        if place not in known or FORBIDDEN.match(place):
            yield f"a module that is not allowed: {path.relative_to(root)}"


def _name(path: str) -> str:
    return PurePosixPath(path).name.partition(".")[0].replace("-", "_")


def main(command: str, folder: Path) -> int:
    """Prints the closure, or checks a root file system against the list in it; 1 and the reasons when something is wrong."""
    if command == "closure":
        built_in = (folder / "modules.builtin").read_text(encoding="ascii").splitlines()
        dependencies = read_dependencies((folder / "modules.dep").read_text(encoding="ascii"))
        try:
            allowed = closure(listed((HERE / "modules.list").read_text(encoding="ascii")), dependencies, built_in)
        except Refused as refused:
            sys.exit(f"image: {refused}")
        found = list(problems_with_built_in(built_in))
        print(*allowed, sep="\n")
    else:
        modules = next(iter(folder.glob("usr/lib/modules/*")))
        found = list(problems_with_tree(folder, (modules / "allowed").read_text(encoding="ascii").splitlines()))
    if found:
        sys.exit("\n".join(f"image: {problem}" for problem in found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
