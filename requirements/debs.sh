# Read by install.sh and interop.sh, from the checkout's top: Debian packages are unpacked into .venv/debs; nothing else changes.
debs=$PWD/.venv/debs

# apt as a plain user: lists and cache of its own; the system's are neither read nor written.
own_apt() {
    apt-get -qq -o "Dir::State::Lists=$debs/lists" -o "Dir::Cache=$debs/cache" \
        -o "APT::Sandbox::User=$(id -un)" -o Debug::NoLocking=1 "$@"
}

begin_unpacking() {
    mkdir -p "$debs/lists/partial" "$debs/cache/archives/partial"
    own_apt update || true # another source that is broken is no reason to stop: the next line tells
}

end_unpacking() {
    for deb in "$debs"/cache/archives/*.deb; do
        [ ! -e "$deb" ] || dpkg -x "$deb" "$debs"
    done
    rm -r "$debs/lists" "$debs/cache"
}
