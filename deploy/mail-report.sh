#!/bin/sh
# Mail the usage report of a month:
#
#   mail-report.sh WORKSPACE ZONE ADDRESS [MONTH]
#
# Without MONTH it is the month before the present one. The settings of `usage` come from the environment.
# mutt sends it; any mailer that attaches a file will do.

set -eu

workspace=$1 zone=$2 address=$3
month=${4:-$(date --date "$(date +%Y-%m-01) -1 day" +%Y-%m)}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

usage report --workspace "$workspace" --zone "$zone" --month "$month" --output "$folder/usage-$month.html"
printf 'The usage report of %s is attached.\n' "$month" |
    mutt -s "Usage report $month" -a "$folder/usage-$month.html" -- "$address"
