# Shared by scripts/quickstart and scripts/test: source it from the top of the checkout.
# Makes a virtual environment in .venv and installs aibench into it; does nothing when that is done.

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

# Runs a command while packages that are installed start none of their services.
without_services() (
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"
  fi
  "$@"
)

# install_packages PACKAGE...: by apt, quietly; fails without a word where that is not possible.
install_packages() {
  may_install || return 1
  if [ -z "${apt_updated:-}" ]; then
    apt-get update -qq >/dev/null 2>&1 || true
    apt_updated=1
  fi
  DEBIAN_FRONTEND=noninteractive without_services \
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1 </dev/null
}

# The first Python that is new enough.
find_python() {
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  say "Python 3.11 or later is needed, and none was found (on Debian: apt-get install python3)"
  exit 2
}

make_environment() {
  local python version
  python=$(find_python) || exit 2
  if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    say "installing python$version-venv"
    install_packages "python$version-venv" || install_packages python3-venv || {
      say "Python has no venv module; on Debian and Ubuntu: apt-get install python$version-venv"
      exit 2
    }
  fi
  rm -rf .venv
  "$python" -m venv .venv
  # The pip that came with Python looks for packages twice as long as one of today.
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --upgrade pip \
    </dev/null 2>/dev/null || true
}

# An environment that works is kept; one that was made for another place or is broken is made anew.
have_environment() {
  .venv/bin/python -m pip --version 2>/dev/null | grep -qF "from $PWD/.venv/" || make_environment
}

# set_up EXTRAS [PIP OPTION...]: EXTRAS is empty or such as "[dev]". The stamp has what was installed
# of these very sources: what else was compiled before lies there no more.
set_up() {
  local sources wanted stamp=.venv/.aibench-installed
  sources=$(cat pyproject.toml hatch_build.py aibench/_reading.c | cksum)
  wanted="$sources $1"
  have_environment
  grep -qxF "$wanted" "$stamp" 2>/dev/null && return
  say "installing aibench and what it needs into .venv"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
    --editable ".$1" "${@:2}" </dev/null || { say "pip could not install aibench (see above)"; exit 2; }
  { grep -F "$sources " "$stamp" 2>/dev/null || true; printf '%s\n' "$wanted"; } >"$stamp.new"
  mv "$stamp.new" "$stamp"
}
