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

target=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
prefix=$(dirname "$(dirname "$target")")
[ -f "$target/installed-files" ] || { printf 'There is no installed program in %s.\n' "$target" >&2; exit 1; }
data=${H2OGPT_DATA_DIR:-${XDG_DATA_HOME:-${HOME:-}/.local/share}/h2ogpt-desktop}
# Whatever the variables say, only a folder that the program has written to is deleted.
is_data() { [ -f "$data/library.db" ] || [ -f "$data/chats.db" ] || [ -f "$data/host.lock" ]; }

if [ -z "$choice" ] && [ -t 0 ] && is_data; then
    printf 'Also delete your library, conversations and models in %s? [y/N] ' "$data"
    read -r answer
    case $answer in y|Y|yes) choice=remove ;; esac
fi

while IFS= read -r file; do
    rm -f "$prefix/$file"
done < "$target/installed-files"

# The desktop's tools wrote a cache beside the files: removed with the last of them, else brought up to date.
tidy() {
    folder=$prefix/share/$1
    cache=$2
    shift 2
    [ -f "$folder/$cache" ] || return 0
    if [ -z "$(find "$folder" ! -type d ! -name "$cache" | head -n 1)" ]; then
        rm -f "$folder/$cache"
    else
        "$@" "$folder" >/dev/null 2>&1 || true
    fi
}
tidy applications mimeinfo.cache update-desktop-database
tidy icons/hicolor icon-theme.cache gtk-update-icon-cache -q -t

# Folders that are empty now were most likely made by the installation; others stay.
folders=$(sed 's|/[^/]*$||' "$target/installed-files" | sort -u)
rm -rf "$target"
( cd "$prefix" && printf '%s\nlib\n' "$folders" | while IFS= read -r folder; do
    rmdir -p --ignore-fail-on-non-empty "$folder" 2>/dev/null || true
done )
[ "$prefix" = "${HOME:-}" ] || rmdir --ignore-fail-on-non-empty "$prefix" 2>/dev/null || true
if [ "$choice" = remove ] && is_data; then
    rm -rf "$data"
    printf 'h2oGPT Desktop and its data were removed.\n'
else
    printf 'h2oGPT Desktop was removed.\n'
    [ ! -d "$data" ] || printf 'Your data stays in %s.\n' "$data"
fi
