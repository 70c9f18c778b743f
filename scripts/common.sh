# What quickstart and test share: progress for a person, the build, and a house
# for a private stack. Sourced with the checkout as the working folder.
# shellcheck shell=sh disable=SC2154 # $log is the caller's
export LC_ALL=C.UTF-8
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
exec 3>&1
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '%s\n' "$*" >&3; }

# step WHAT COMMAND...: one line for a person, everything else into $log. The
# command is not in a condition, so `set -e` holds inside it; a failure ends the
# script, and its EXIT trap calls step_failed. Neither our output (3) nor our
# lock (8) is left to what the command starts.
step() {
	doing=$1
	begun=$(date +%s)
	shift
	printf '  %-40s' "$doing" >&3
	printf '\n== %s\n' "$doing" >>"$log"
	"$@" >>"$log" 2>&1 </dev/null 3>&- 8>&-
	printf ' ✓ %3d s\n' $(($(date +%s) - begun)) >&3
	doing=
}

step_failed() {
	if [ -n "${doing-}" ]; then
		say " ✗"
		sed "1,/^== $doing\$/d" "$log" | tail -n 15 | sed 's/^/    /' >&3
		say "  Details: $log"
	fi
}

# build FOLDER OPTION...: an up-to-date build in FOLDER, configured with these
# options. Makefiles know where they stand, so a checkout that moved starts over.
build() {
	folder=$1
	shift
	stamp="$PWD/$folder $*"
	if [ ! -x configure ] || [ ! -f Makefile.in ]; then
		autoreconf -fi
	fi
	if [ "$(cat "$folder/configured" 2>/dev/null)" != "$stamp" ]; then
		rm -rf "./$folder"
		mkdir "$folder"
		(cd "$folder" && ../configure -q "$@")
		printf '%s\n' "$stamp" >"$folder/configured"
	fi
	make -s -C "$folder" -j"$(nproc)"
}

# house FOLDER RUN: the folders of a private stack. FOLDER/app holds the programs,
# FOLDER/data what they keep, RUN their sockets, closed to everyone else. Root
# lends the servers a system user, for PostgreSQL refuses to be root and root's
# checkout may be closed to others.
house() {
	mkdir -p "$1/app" "$1/data"
	[ -d "$2" ] || mkdir "$2"
	chmod 700 "$1/data" "$2"
	[ "$(id -u)" = 0 ] || return 0
	id gnomon >/dev/null 2>&1 || useradd --system --user-group \
		--no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gnomon
	chmod 755 "$1" "$1/app"
	chown gnomon:gnomon "$1/data" "$2"
}

busy() { # port: somebody listens on it
	cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
		awk -v port="$(printf ':%04X' "$1")" \
			'$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 }
			END { exit !found }'
}

free_port() { # the first one free from here
	free=$1
	while busy "$free"; do
		free=$((free + 1))
	done
	echo "$free"
}
