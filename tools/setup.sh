#!/bin/sh
# Make or update .venv. "dev" adds the developer tools, "run" is what the server needs.
# Twice is harmless: when nothing has changed this ends at once.
set -eu

wanted=${1:-dev}
uv_version=0.13.8
venv=.venv
stamp=$venv/.setup

say() { printf 'setup: %s\n' "$1" >&2; }

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    for candidate in "${PYTHON:-python3.13}" python3.13 python3.12 python3.11 python3; do
        if new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    say "Python 3.11 or newer is needed and none was found; install one, or name it with PYTHON=/path/to/python3."
    exit 1
}

# A stamp of another place means that the checkout was moved or copied: the paths inside .venv are wrong.
here=$(pwd -P)
state=$(cksum pyproject.toml uv.lock tools/setup.sh)
old_place='' old_kind='' old_state=''
if [ -f "$stamp" ]; then
    old_place=$(sed -n 1p "$stamp")
    old_kind=$(sed -n 2p "$stamp")
    old_state=$(sed '1,2d' "$stamp")
fi

usable=no
if [ -z "$old_place" ] || [ "$old_place" = "$here" ]; then
    if new_enough "$venv/bin/python"; then usable=yes; fi
fi

if [ "$usable" = yes ] && [ "$old_state" = "$state" ]; then
    if [ "$old_kind" = dev ] || [ "$old_kind" = "$wanted" ]; then exit 0; fi
fi

if [ "$usable" = no ]; then
    python=$(find_python)
    say "making $venv with $("$python" --version)"
    if ! "$python" -m venv --clear "$venv"; then
        say "$python cannot make a virtual environment; on Debian and Ubuntu install the package python3-venv."
        exit 1
    fi
fi

case "$("$venv/bin/uv" --version 2>/dev/null)" in
"uv $uv_version" | "uv $uv_version "*) ;;
*) "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$uv_version" ;;
esac

# --inexact keeps uv itself, and keeps the developer tools when only the server is wanted.
rm -f "$stamp"
say "installing the locked dependencies"
groups=--dev
[ "$wanted" = dev ] || groups=--no-dev
unset VIRTUAL_ENV
UV_PROJECT_ENVIRONMENT=$venv UV_PYTHON_DOWNLOADS=never \
    "$venv/bin/uv" sync --quiet --frozen --inexact $groups --python "$venv/bin/python"
# What a start imports is compiled once, here. Where the environment forbids to write bytecode, each start
# would compile it again: a second, and the memory that compiling leaves full of holes.
PYTHONDONTWRITEBYTECODE='' "$venv/bin/python" -c 'import backend.app, backend.cli, backend.util.supervisor, backend.util.preload' ||
    say "the program cannot be imported: see above"
printf '%s\n%s\n%s\n' "$here" "$wanted" "$state" >"$stamp"
