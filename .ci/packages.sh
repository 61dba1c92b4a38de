# Sourced by quickstart and check: installs those of the named Debian packages
# that are missing.  Nothing missing, no call of apt.
need_packages() {
    missing=
    for package in "$@"; do
        case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        *' installed') ;;
        *) missing="$missing $package" ;;
        esac
    done
    if [ -z "$missing" ]; then
        echo "nothing to install"
        return
    fi
    echo "missing:$missing"
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null; then
        as_root=sudo
    else
        echo "$0: neither root nor sudo; have an administrator install:$missing" >&2
        exit 1
    fi
    $as_root apt-get update -q
    # shellcheck disable=SC2086  # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends $missing
}

# The same for what only some tests use: without it they are skipped.
want_packages() {
    (need_packages "$@") || echo "goes on without: $*"
}
