#!/bin/sh
# Installs h2oGPT Desktop for the user who runs this, without root: programs, menu entry, icons, manual.
#
#   ./install.sh [--prefix DIR] [--quiet]
#
# Running it again, or that of a newer version, replaces the program and keeps your data.
set -eu
umask 022

fail() {
    printf 'h2oGPT Desktop was not installed: %s\n' "$1" >&2
    [ -z "${2:-}" ] || printf '%s\n' "$2" >&2
    exit 1
}

say() { [ -n "$quiet" ] || printf '%s\n' "$1"; }

quiet=
prefix=${HOME:+$HOME/.local}
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) [ $# -ge 2 ] || fail "--prefix needs a folder."; prefix=$2; shift ;;
        --prefix=*) prefix=${1#--prefix=} ;;
        --quiet) quiet=1 ;;
        -h|--help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) fail "unknown option $1." "Run ./install.sh --help." ;;
    esac
    shift
done
[ -n "$prefix" ] || fail "there is no home folder." "Name a folder with --prefix DIR."
case $prefix in /*) ;; *) prefix=$(pwd)/$prefix ;; esac
prefix=${prefix%/}
case $prefix in *"
"*) fail "the name of the folder has a line break." "Choose another folder with --prefix DIR." ;; esac

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
[ -x "$here/program/h2ogpt-desktop" ] || fail "the folder 'program' is not beside this script." \
    "Unpack the whole archive and run install.sh from there."
[ "$(uname -s)-$(uname -m)" = "Linux-@MACHINE@" ] || fail "this archive is for Linux on @MACHINE@." \
    "Get the archive for this computer ($(uname -s) on $(uname -m))."

target=$prefix/lib/h2ogpt-desktop
share=$prefix/share
mkdir -p "$prefix/lib" "$prefix/bin" "$share" 2>/dev/null || :
for folder in "$prefix/lib" "$prefix/bin" "$share"; do
    if [ ! -d "$folder" ] || [ ! -w "$folder" ]; then
        fail "$folder cannot be written." "Choose another folder with --prefix DIR."
    fi
done
foreign() { fail "$1 exists and was not made by this script." "Move it away, or choose another folder with --prefix DIR."; }
exists() { [ -e "$1" ] || [ -L "$1" ]; }
# An upgrade that was cut off between its two renames left the old program under this name.
if [ -f "$target.old/installed-files" ] && ! exists "$target"; then mv "$target.old" "$target"; fi
if exists "$target" && [ ! -f "$target/installed-files" ]; then foreign "$target"; fi
for name in h2ogpt h2ogpt-desktop; do
    link=$prefix/bin/$name
    if exists "$link" && [ "$(readlink "$link")" != "$target/$name" ]; then foreign "$link"; fi
done

need_kib=$(du -sk "$here/program" | cut -f1)
free_kib=$(df -Pk "$prefix/lib" | awk 'NR == 2 { print $4 }')
[ "$free_kib" -gt "$need_kib" ] || fail "$((need_kib / 1024)) MB are needed in $prefix and $((free_kib / 1024)) MB are free." \
    "Free some disk space, or choose another folder with --prefix DIR."

# The new program is copied beside the old one and then takes its place: an interrupted copy changes nothing.
rm -rf "$target.new"
cp -R "$here/program" "$target.new" || { rm -rf "$target.new"; fail "the files could not be copied." "Check the free disk space."; }
cp "$here/uninstall.sh" "$target.new/uninstall.sh"
( cd "$here/share" && find . -type f -o -type l ) | sed 's|^\./|share/|' > "$target.new/installed-files"
printf 'bin/h2ogpt\nbin/h2ogpt-desktop\n' >> "$target.new/installed-files"
rm -rf "$target.old"
[ ! -e "$target" ] || mv "$target" "$target.old"
mv "$target.new" "$target"
if [ -f "$target.old/installed-files" ]; then  # what only the older version had beside its folder
    while IFS= read -r file; do
        grep -qxF -e "$file" "$target/installed-files" || rm -f "$prefix/$file"
    done < "$target.old/installed-files"
fi
rm -rf "$target.old"

# A desktop entry quotes its command with “"”; inside, four signs need a backslash, which itself is written
# twice there. Source: the Desktop Entry Specification, "The Exec key" and "value types".
# shellcheck disable=SC2016
escape() { printf '%s' "$1" | sed -e 's/\\/\\\\\\\\/g' -e 's/"/\\\\"/g' -e 's/`/\\\\`/g' -e 's/\$/\\\\$/g' -e 's/%/%%/g'; }
plain() { printf '%s' "$1" | sed -e 's/\\/\\\\/g'; }
literal() { printf '%s' "$1" | sed -e 's/[\\&|]/\\&/g'; }

( cd "$here/share" && find . -type f -o -type l ) | while IFS= read -r file; do
    mkdir -p "$share/$(dirname "$file")"
    cp -P "$here/share/$file" "$share/$file"
done
sed -e "s|@EXEC@|$(literal "\"$(escape "$target/h2ogpt-desktop")\"")|" \
    -e "s|@TRYEXEC@|$(literal "$(plain "$target/h2ogpt-desktop")")|" \
    "$here/share/applications/h2ogpt-desktop.desktop" > "$share/applications/h2ogpt-desktop.desktop"
for name in h2ogpt h2ogpt-desktop; do
    ln -sf "$target/$name" "$prefix/bin/$name"
done
refresh() { if command -v "$1" >/dev/null 2>&1; then "$@" >/dev/null 2>&1 || true; fi; }
refresh update-desktop-database "$share/applications"
refresh gtk-update-icon-cache -q -t "$share/icons/hicolor"

if command -v ldd >/dev/null 2>&1; then
    missing=$(LD_LIBRARY_PATH="$target/_internal" ldd "$target/_internal/PySide6/Qt/plugins/platforms/libqxcb.so" 2>/dev/null |
        sed -n 's/^[[:space:]]*\([^ ]*\) => not found$/\1/p' | sort -u | tr '\n' ' ')
    [ -z "$missing" ] || {
        printf 'The window needs libraries that this system lacks: %s\n' "$missing"
        printf 'Debian, Ubuntu: sudo apt install @DEBIAN_PACKAGES@\n'
        printf 'Fedora: sudo dnf install libxkbcommon-x11 libglvnd-egl libglvnd-glx libX11-xcb dbus-libs fontconfig glib2\n'
    }
    missing=$(LD_LIBRARY_PATH="$target/_internal/sound" ldd "$target/_internal/sound/libportaudio.so.2" 2>/dev/null |
        sed -n 's/^[[:space:]]*\([^ ]*\) => not found$/\1/p' | sort -u | tr '\n' ' ')
    [ -z "$missing" ] || {
        printf 'Microphone and loudspeaker need libraries that this system lacks: %s\n' "$missing"
        printf 'Debian, Ubuntu: sudo apt install libasound2 libasound2-plugins\n'
        printf 'Fedora: sudo dnf install alsa-lib alsa-plugins-pulseaudio\n'
    }
fi
say "h2oGPT Desktop is installed in $target."
say "Start it from the menu of your desktop, or with: $prefix/bin/h2ogpt-desktop"
case ":${PATH:-}:" in *":$prefix/bin:"*) ;; *) say "($prefix/bin is not in PATH; log in again, or use the full name.)" ;; esac
say "Remove it with: $target/uninstall.sh"
