#!/bin/sh
# Removes h2oGPT Desktop as install.sh put it there.
#
#   uninstall.sh [--remove-data | --keep-data]
#
# Your data folder stays unless you say otherwise; without an option you are asked where there is a terminal.
set -eu

choice=
case ${1:-} in
    '') ;;
    --remove-data) choice=remove ;;
    --keep-data) choice=keep ;;
    -h|--help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) printf 'Unknown option %s. Run uninstall.sh --help.\n' "$1" >&2; exit 2 ;;
esac

target=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
prefix=$(dirname "$(dirname "$target")")
[ -f "$target/installed-files" ] || { printf 'There is no installed program in %s.\n' "$target" >&2; exit 1; }
data=${H2OGPT_DATA_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/h2ogpt-desktop}

if [ -z "$choice" ] && [ -t 0 ] && [ -d "$data" ]; then
    printf 'Also delete your library, conversations and models in %s? [y/N] ' "$data"
    read -r answer
    case $answer in y|Y|yes) choice=remove ;; esac
fi

while IFS= read -r file; do
    rm -f "$prefix/$file"
    # Folders that are empty now were most likely made by the installation; others stay.
    rmdir -p --ignore-fail-on-non-empty "$prefix/$(dirname "$file")" 2>/dev/null || true
done < "$target/installed-files"
rm -rf "$target"
rmdir -p --ignore-fail-on-non-empty "$prefix/lib" 2>/dev/null || true
if [ "$choice" = remove ]; then
    rm -rf "$data"
    printf 'h2oGPT Desktop and its data were removed.\n'
else
    printf 'h2oGPT Desktop was removed.\n'
    [ ! -d "$data" ] || printf 'Your data stays in %s.\n' "$data"
fi
