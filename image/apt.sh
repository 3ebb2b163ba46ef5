# shellcheck shell=sh disable=SC2034,SC2154 # what is read here is used by those that read it, and the reverse
# Read by lock.sh and fetch.sh: apt with lists, cache and status of its own. Nothing is installed, and the system's own are not touched.
# The sources are the system's, for the suite of the image; IMAGE_SOURCES names a file of others (deb822 or one line each).
begin_apt() {
    apt=$work/apt
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    sources=${IMAGE_SOURCES:-}
    for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
        [ -n "$sources" ] || [ ! -s "$file" ] || sources=$file
    done
    [ -n "$sources" ] || stop 'found no apt sources of Debian; name a file of them by IMAGE_SOURCES'
    case $sources in *.sources) kind=sources ;; *) kind=list ;; esac
    here=$(. /etc/os-release && echo "${VERSION_CODENAME:-$suite}")
    sed "s/\b$here\b/$suite/g" "$sources" >"$apt/debian.$kind"
}

own_apt() {
    command=$1
    shift
    "$command" -qq -o "Dir::State::status=$apt/status" -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" \
        -o "Dir::Etc::sourcelist=$apt/debian.$kind" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferences=/dev/null \
        -o Dir::Etc::preferencesparts=/dev/null -o APT::Architecture=amd64 -o APT::Architectures=amd64 \
        -o APT::Install-Recommends=false -o Acquire::Languages=none -o "APT::Sandbox::User=$(id -un)" \
        -o pkgCacheGen::ForceEssential=none -o Debug::NoLocking=1 "$@"
}
