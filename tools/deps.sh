#!/bin/sh
# deps.sh PACKAGE...: installs the Debian packages that are missing. One query and nothing else when none is.
# Exit status: 0 when all are there in the end, else that of apt-get, or 1 where there is no apt-get.
set -eu

# shellcheck disable=SC2016 # dpkg-query expands them
installed=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^ii *//p') || true
missing=
for package in "$@"; do
    printf '%s\n' "$installed" | grep -qxF -- "$package" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if ! command -v apt-get >/dev/null; then
    echo "deps: no apt-get here; please install what these Debian packages hold:$missing" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: neither root nor sudo; please install:$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

# Debian's package of PostgreSQL makes and starts a server of the machine's own when it is installed. We run private ones, so on
# a machine that has never had the package it is told not to. The file stays: it says who wrote it and what it does.
createcluster=/etc/postgresql-common/createcluster.conf
case " $missing " in
*" postgresql "*)
    if [ ! -e "$createcluster" ] && ! [ -d /etc/postgresql ]; then
        $as_root mkdir -p "${createcluster%/*}"
        printf '%s\n' '# Written by Marchland before it installed PostgreSQL: no server is made by the installation. Remove this file' \
            '# and run pg_createcluster to have one.' 'create_main_cluster = false' | $as_root tee "$createcluster" >/dev/null
    fi
    ;;
esac

install_missing() {
    # shellcheck disable=SC2086 # names of packages, to be split
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
}
echo "deps: installing$missing"
# Lists of packages that are missing or old make the first try fail; fresh ones are worth a second.
install_missing || { $as_root apt-get update -q && install_missing; }
