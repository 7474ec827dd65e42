# Shared by the scripts beside it; meant to be sourced.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Colours only where a person reads.
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
    bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
    bold='' green='' red='' plain=''
fi

headline() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
good() { printf '%s%s%s\n' "$green" "$*" "$plain"; }
fail() { printf '%s%s%s\n' "$red" "$*" "$plain" >&2; exit 1; }

# Stops with advice unless Swift 6.2 or newer is on the path.
require_swift() {
    local advice='Install Swift 6.2 or newer from https://www.swift.org/install/linux/ and put its usr/bin on PATH.'
    command -v swift >/dev/null || fail "There is no swift on PATH. $advice"
    local version
    version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -n 1)
    [[ -n $version ]] || fail "swift --version did not name a version. $advice"
    local major=${version%%.*} minor=${version#*.}
    if ((major < 6 || (major == 6 && minor < 2))); then fail "Swift $version is too old. $advice"; fi
}
