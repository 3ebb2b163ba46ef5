"""Prints the two digests of a built image, in hex and words: of the ISO, and of its root file system, which the machine tells of itself."""

import sys
from pathlib import Path

from ceremony.said import digest_lines
from image.locks import sha256_of

if __name__ == "__main__":
    iso, root = map(Path, sys.argv[1:3])
    print(f"The ISO, {iso.stat().st_size} bytes. Compare it before it is written to a medium (sha256sum {iso.name}):")
    print(sha256_of(iso), *digest_lines(sha256_of(iso)), sep="\n")
    print("\nThe image (its boot/root.squashfs): the machine's first screen, `opened` and [tool] image_sha256 have this one:")
    print(sha256_of(root), *digest_lines(sha256_of(root)), sep="\n")
