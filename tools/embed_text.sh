#!/bin/bash
# embed_text.sh HEADER NAME FILE: writes C source with a file's text as the string NAME, which HEADER declares, to standard output.
set -eu

printf '#include "%s"\n\nconst char %s[] =\n' "$1" "$2"
sed -e 's/\\/\\\\/g; s/"/\\"/g; s/^/    "/; s/$/\\n"/' "$3"
echo '    "";'
