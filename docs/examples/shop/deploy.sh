#!/bin/sh
# Stands for a real deployment: some seconds of work that nobody else may do meanwhile.
set -eu
echo "deployment $DEPLOYLOCK_ID of $DEPLOYLOCK_APP ${DEPLOYLOCK_APP_VERSION:-?} to $DEPLOYLOCK_ENV"
echo "holds $DEPLOYLOCK_LOCKS"
for container in web-1 web-2; do
    printf 'deploying to %s ' "$container"
    for _ in 1 2 3 4 5; do
        printf .
        sleep "${STEP:-1}"
    done
    echo " done"
done
