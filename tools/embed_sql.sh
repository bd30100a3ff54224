#!/bin/bash
# embed_sql.sh FILE...: writes C source with the migrations as a table (persist/migrate.h), in the order given, to standard output.
# A file is named NNN_what.sql; its number and name go into the table.
set -eu

echo '#include "persist/migrate.h"'
echo
echo 'const struct migration MIGRATIONS[] = {'
for file in "$@"; do
    name=$(basename "$file" .sql)
    number=$((10#${name%%_*}))
    printf '    {%d, "%s",\n' "$number" "$name"
    sed -e 's/\\/\\\\/g; s/"/\\"/g; s/^/     "/; s/$/\\n"/' "$file"
    echo '    },'
done
echo '};'
echo "const unsigned MIGRATION_COUNT = $#;"
