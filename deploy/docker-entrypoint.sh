#!/bin/sh
# Starts onair as the user onair (10001), whoever owns the folders mounted over /app.
#
# A folder that `docker run -v ./recordings:/app/recordings` makes belongs to root. Started as root we hand such folders
# over, then drop root for good; started as anyone else (--user, user: in Compose) we change nothing.
set -eu

if [ "$(id -u)" = 0 ]; then
    for folder in recordings data logs; do
        # Only the folder itself: what is inside is ours already, and may be a million files.
        if [ -d "$folder" ] && [ "$(stat -c %u "$folder")" != 10001 ]; then
            chown 10001:10001 "$folder" || echo "onair: $folder cannot be handed to user 10001" >&2
        fi
    done
    exec setpriv --reuid=10001 --regid=10001 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs \
        -- onair "$@"
fi
exec onair "$@"
