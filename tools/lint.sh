#!/bin/bash
# lint.sh: what a compiler does not check. Quick, so that it runs before every test. Prints what is wrong; exits 1 then.
#   1. clang-format has nothing to change
#   2. every header compiles alone
#   3. includes point one way: common <- schemas <- processes and tools; paths start at the root; atomics stay in common
#   4. cppcheck of the C files, with a cache under build/
#   5. shellcheck
# shellcheck disable=SC2317 # the checks are called by name, through step
set -u
cd "$(dirname "$0")/.." || exit 1

CC=${CC:-gcc}
JOBS=${JOBS:-$(nproc)}
FOLDERS=()
for folder in common schemas gateway zone matchmaker persist tools tests; do
    [ -d "$folder" ] && FOLDERS+=("$folder")
done
mapfile -t SOURCES < <(find "${FOLDERS[@]}" \( -name '*.c' -o -name '*.h' -o -name '*.cc' \) | sort)
mapfile -t HEADERS < <(find "${FOLDERS[@]}" -name '*.h' | sort)
failed=0

# step NAME COMMAND...: runs one check and tells how long it took.
step() {
    local name=$1 begin=$SECONDS
    shift
    if "$@"; then
        echo "lint: $name: good ($((SECONDS - begin)) s)"
    else
        echo "lint: $name: FAILED"
        failed=1
    fi
}

check_format() {
    printf '%s\n' "${SOURCES[@]}" | xargs -P "$JOBS" -n 16 clang-format --dry-run -Werror
}

check_headers() {
    # shellcheck disable=SC2016 # the inner shell expands them
    printf '%s\n' "${HEADERS[@]}" | xargs -P "$JOBS" -I{} sh -c \
        '"$0" -std=c17 -D_GNU_SOURCE -I. -I/usr/include/postgresql -Wall -Wextra -Wno-unused-function -Werror -fsyntax-only -x c "$1" ||
         { echo "$1: does not compile alone"; exit 255; }' "$CC" {}
}

# allowed FOLDER: the folders that sources in FOLDER may include from, as an extended regular expression.
allowed() {
    case $1 in
    common) echo 'common/' ;;
    schemas) echo '(schemas|common)/|[a-z_]+_generated\.h' ;;
    tools/client) echo '(tools/client|schemas|common)/' ;;
    # What it reads and checks is persist's and the matchmaker's.
    tools/zonectl) echo '(tools/zonectl|schemas|common)/|persist/(journal_format|pg_uri)\.h|matchmaker/(mode|template)_file\.h' ;;
    tools/swarm) echo '(tools/swarm|tools/client|schemas|common)/' ;;
    tools/queuesim) echo '(tools/queuesim|matchmaker|schemas|common)/' ;; # it runs the matchmaker's queue
    *) echo "($1|schemas|common)/" ;;
    esac
}

check_includes() {
    local bad=0 folder
    for folder in common schemas gateway zone matchmaker persist tools/*/; do
        folder=${folder%/}
        [ -d "$folder" ] || continue
        if grep -rnE --include='*.[ch]' --include='*.cc' '^ *# *include *"' "$folder" | grep -vE "include *\"($(allowed "$folder"))"; then
            echo "$folder: may include $(allowed "$folder") only"
            bad=1
        fi
        if [ "$folder" != common ] &&
            grep -rnE --include='*.[ch]' '_Atomic|stdatomic\.h|\b__(atomic|sync)_' "$folder"; then
            echo "$folder: atomics belong to common"
            bad=1
        fi
    done
    return "$bad"
}

# Left out: memleak and invalidFunctionArg, because cppcheck does not know mmap; LeakSanitizer watches for the first in the tests.
check_cppcheck() {
    mkdir -p build/cppcheck
    cppcheck -q -j "$JOBS" --std=c17 --enable=warning,performance --inline-suppr --error-exitcode=1 --library=posix \
        --cppcheck-build-dir=build/cppcheck --suppress=memleak --suppress=invalidFunctionArg --suppress=missingIncludeSystem \
        --suppress=unknownMacro -i schemas/wire.cc -D_GNU_SOURCE -D__linux__ -I. "${FOLDERS[@]}" 2>&1
}

check_shell() {
    local scripts
    mapfile -t scripts < <(find "${FOLDERS[@]}" deploy -name '*.sh' 2>/dev/null | sort)
    [ -f .ci/run ] && scripts+=(.ci/run)
    shellcheck "${scripts[@]}"
}

step clang-format check_format
step headers check_headers
step includes check_includes
step cppcheck check_cppcheck
step shellcheck check_shell
exit $failed
