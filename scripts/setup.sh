#!/bin/sh
# Make .venv hold what is asked for: `core` (to run) or `dev` (to test). Does nothing when it already does.
# Uses uv where it is installed, else Python's own venv and pip. Everything either of them prints goes to
# .venv/setup.log; it is shown only when something fails.
set -eu
want=${1:?usage: scripts/setup.sh core|dev}
cd "$(dirname "$0")/.."
venv=.venv
log=$venv/setup.log

# The environment is tied to this place on disk and to the files that decide what is in it.
key=$(pwd && cksum pyproject.toml constraints.txt scripts/setup.sh)
is_current() { [ -x $venv/bin/python ] && [ "$(cat "$venv/$1.stamp" 2>/dev/null)" = "$key" ]; }
works() { "$@" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2])' >/dev/null 2>&1; }

if works $venv/bin/python && { is_current "$want" || { [ "$want" = core ] && is_current dev; }; }; then
    exit 0
fi

say() { printf '%s\n' "$*"; }
fail() {
    say "Set-up failed: $1" >&2
    [ -s "$log" ] && { say "The last lines of $log:" >&2; tail -n 15 "$log" >&2; }
    exit 1
}

# Settings of the user's own that would send packages elsewhere or let others in.
unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV VIRTUAL_ENV CONDA_PREFIX
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore UV_NO_PROGRESS=1

python=
for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python; do
    if command -v "$candidate" >/dev/null 2>&1 && works "$candidate"; then
        python=$candidate
        break
    fi
done

no_python() {
    say "Mesocosm needs Python 3.11 or later, and none was found on the PATH." >&2
    say "Install it (Debian or Ubuntu: apt-get install python3 python3-venv; Fedora: dnf install python3;" >&2
    say "macOS: brew install python), or name one: make run PYTHON=/path/to/python3" >&2
    exit 1
}

no_venv() {
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    say "$python ($version) cannot make a virtual environment: its venv or ensurepip module is missing." >&2
    say "Install it (Debian or Ubuntu: apt-get install python3-venv, or python$version-venv), or install uv; then repeat." >&2
    exit 1
}

use_uv() { command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; }

make_with_uv() {
    rm -rf $venv
    uv venv --quiet --python "${python:-3.12}" $venv >/dev/null 2>&1
}

make_with_venv() {
    "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 || no_venv
    rm -rf $venv
    printed=$("$python" -m venv $venv 2>&1) || { rm -rf $venv; say "$printed" >&2; no_venv; }
}

if works $venv/bin/python && [ ! -e $venv/place ]; then
    # An environment somebody made by hand: use it as it is.
    tool=uv
    $venv/bin/python -m pip --version >/dev/null 2>&1 && tool=pip
    { pwd; say $tool; } >$venv/place
elif ! works $venv/bin/python || [ "$(head -n 1 $venv/place)" != "$(pwd)" ]; then
    [ -n "$python" ] || use_uv || no_python
    if use_uv && make_with_uv; then
        tool=uv
    else
        [ -n "$python" ] || no_python
        make_with_venv
        tool=pip
    fi
    { pwd; say $tool; } >$venv/place
    say "Made .venv with $($venv/bin/python -V 2>&1) and $tool."
fi
tool=$(sed -n 2p $venv/place)

install() {
    if [ "$tool" = uv ]; then
        uv pip install --quiet --python $venv/bin/python --constraint constraints.txt "$@" >>$log 2>&1
    else
        $venv/bin/python -m pip install --quiet --no-compile --constraint constraints.txt "$@" >>$log 2>&1
    fi
}

: >$log
rm -f $venv/core.stamp $venv/dev.stamp
case $want in
    core) say "Installing Mesocosm and its libraries (once; about 20 seconds) ..." && target=. ;;
    dev) say "Installing Mesocosm with its test tools (once; about 20 seconds) ..." && target=".[dev]" ;;
    *) fail "unknown target $want; use core or dev" ;;
esac
# The builder comes first and pinned, so that building Mesocosm itself downloads nothing more.
if ! install hatchling && [ "$tool" = uv ] && [ -n "$python" ]; then
    say "uv could not download the packages; trying pip."
    make_with_venv
    tool=pip
    { pwd; say $tool; } >$venv/place
fi
install hatchling || fail "the packages could not be downloaded. Is there a network connection?"
install --no-build-isolation --editable "$target" || fail "the packages could not be installed."
# Compiles what a run imports, and nothing else, and builds matplotlib's list of fonts.
env -u PYTHONDONTWRITEBYTECODE $venv/bin/python -c \
    'import matplotlib.pyplot, msgspec, networkx, polars, pydantic, rich.console, scipy.stats, typer, yaml' \
    >>$log 2>&1 || fail "the installed libraries do not start."
printf '%s\n' "$key" >"$venv/$want.stamp"
