"""The shell scripts of the image: each can be read by sh, and those that run stop at the first thing that goes wrong."""

import subprocess
from pathlib import Path

IMAGE = Path(__file__).parents[2] / "image"
READ_BY_OTHERS = {"settings.sh", "apt.sh", "strap.sh"}


def test_every_script_is_shell_and_stops_at_the_first_failure() -> None:
    scripts = sorted([*IMAGE.glob("*.sh"), IMAGE / "machine" / "boot", IMAGE / "machine" / "initramfs-init"])
    subprocess.run(["sh", "-c", 'for script; do sh -n "$script" || exit 1; done', "sh", *scripts], check=True)
    for script in scripts:
        if script.parent == IMAGE and script.name not in READ_BY_OTHERS:
            assert "\nset -eu\n" in script.read_text(), script


def test_what_starts_the_machine_locks_the_modules_before_anything_of_others_runs() -> None:
    boot = (IMAGE / "machine" / "boot").read_text()
    steps = ("modprobe", "set_kernel kernel/modules_disabled 1", "systemd-udevd", "pcscd --foreground", "serve tty1")
    order = [boot.index(step) for step in steps]
    assert order == sorted(order)
