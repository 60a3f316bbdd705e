#!/usr/bin/env bash
# Makes .venv and installs pgmrr into it; does nothing where that is up to date.
#
#   ./build.sh          what ./start.sh needs
#   ./build.sh all      and what report, serve and every export need
#   ./build.sh test     and what scripts/test needs
#
# PYTHON=/path/to/python3 picks the interpreter (3.11 or newer). pip's own settings
# (PIP_INDEX_URL, pip.conf, …) are respected. Progress goes to stderr.
set -euo pipefail

fail() { # what is wrong, the command that mends it
    printf 'error: %s; to mend it: %s\n' "$1" "$2" >&2
    exit 1
}

# The first interpreter that is new enough, by its full path.
find_python() {
    local candidate
    if [ -n "${PYTHON:-}" ]; then
        set -- "$PYTHON"
    else
        set -- python3 python3.14 python3.13 python3.12 python3.11
    fi
    for candidate in "$@"; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

complain_about_python() {
    local found mend
    found=$("${PYTHON:-python3}" --version 2>/dev/null) || found="no ${PYTHON:-python3}"
    mend="install it from https://www.python.org/downloads/, then PYTHON=/path/to/python3 $root/build.sh"
    if command -v brew >/dev/null; then
        mend="brew install python3"
    elif command -v apt-get >/dev/null; then
        case $found in
            no*) mend="sudo apt-get install python3" ;;
            *) mend="sudo apt-get install python3.11" ;;
        esac
    fi
    fail "pgmrr needs Python 3.11 or newer, and here is $found" "$mend"
}

# Runs an installer; where it fails, the last error that it printed becomes the message.
run() {
    local output reason again="then run \"$root/build.sh\" again"
    output=$("$@" 2>&1 </dev/null) && return
    case $output in
        *"No space left on device"*)
            fail "the disk is full" "free some space (df -h \"$root\"), $again" ;;
        *"connection broken by"* | *"can't reach"*)
            fail "the package index can't be reached" "check the network and PIP_INDEX_URL, $again" ;;
    esac
    reason=$(printf '%s\n' "$output" | grep -E '^([A-Za-z]*Error|ERROR|error)' || printf '%s\n' "$output")
    reason=$(printf '%s\n' "$reason" | tail -n 1 | sed -E 's/^(ERROR|error): //')
    fail "$reason" "see all of it with: (cd \"$root\" && $*)"
}

# A moved checkout or another Python breaks an environment; one made by hand is kept.
environment_works() {
    local built_in
    built_in=$(head -n 1 .venv/.built 2>/dev/null || echo "$root")
    [ "$built_in" = "$root" ] &&
        .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

extra=${1:-}
root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
cd "$root"

stamp=.venv/.built${extra:+-$extra}
state=$(echo "$root" && cksum <pyproject.toml)
if [ "$(cat "$stamp" 2>/dev/null)" = "$state" ] && .venv/bin/python -c 'import pgmrr' 2>/dev/null; then
    exit
fi

for directory in . .venv; do
    if [ -e "$directory" ] && [ ! -w "$directory" ]; then
        fail "$(id -un) may not write in $root" "sudo chown -R $(id -un) \"$root\""
    fi
done
if ! environment_works; then
    python=$(find_python) || complain_about_python
    echo "making .venv with $("$python" --version) …" >&2
    run "$python" scripts/make_venv.py .venv
fi
echo "installing pgmrr into .venv (half a minute the first time) …" >&2
run env PIP_USER=0 .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".${extra:+[$extra]}"

echo "$state" | tee .venv/.built "$stamp" >/dev/null
