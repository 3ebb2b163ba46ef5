#!/bin/sh
# Makes the root in which the image is written, out of the locked tools: $work/tools. What is to be written lies below its /w.
set -eu
cd "$(dirname "$0")/.."
. image/settings.sh
. image/strap.sh
strap tools "$work/tools"
mkdir "$work/tools/w"

# Keyboard layouts, compiled from those of X, as console-setup does it.
mkdir "$work/tools/w/keymaps"
grep -v '^#' image/keymaps.list | while read -r layout variant; do
    chroot "$work/tools" ckbcomp -layout "$layout" ${variant:+-variant "$variant"} >"$work/tools/w/keymaps/$layout${variant:+-$variant}.map"
done
say "the tools are ready"
