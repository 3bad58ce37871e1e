#!/bin/sh
# One training on a GPU that Hugging Face rents out by the minute (pip install huggingface_hub, hf auth login).
# In a clone of the course; the run folder comes back by way of a private repository of yours:
#
#   sh notebooks/rented/hf_jobs.sh my_pictures v4se YOU/v4se           # 1. prices, and the job: rents nothing
#   sh notebooks/rented/hf_jobs.sh my_pictures v4se YOU/v4se --rent    # 2. runs it; the run lies in runs/v4se
#
# Another base, machine, limit or setting: BASE=flux1-dev FLAVOR=a100-large TIMEOUT=2h OPTIONS=... in front of sh.
# TIMEOUT is the most that a mistake can cost; `hf jobs list` shows what runs, `hf jobs cancel` ends it.
set -eu
pictures=$1 trigger=$2 repository=$3 only=--dry-run
[ "${4:-}" = --rent ] && only=

hf jobs hardware  # what each flavor costs, by the minute and by the hour

make zip
mkdir -p .job
mv course.zip .job

# The course and the pictures go in as folders that are read, the token as a secret.
hf jobs run $only --flavor "${FLAVOR:-l4x1}" --timeout "${TIMEOUT:-1h}" --secrets HF_TOKEN \
    --volume ./.job:/course --volume "$pictures:/pictures" \
    --env "TRIGGER=$trigger" --env "BASE=${BASE:-flux2-klein}" --env "REPOSITORY=$repository" \
    --env "OPTIONS=${OPTIONS:---gradient-checkpointing}" --env PIP_BREAK_SYSTEM_PACKAGES=1 \
    pytorch/pytorch:latest sh -c '
        python -m zipfile -e /course/course.zip /tmp/course && cd /tmp/course && pip install -q -e ".[gpu]" &&
        lessons train /pictures --trigger "$TRIGGER" --base "$BASE" $OPTIONS --out /tmp/run &&
        hf upload --private "$REPOSITORY" /tmp/run --exclude report.html'

[ "$only" ] || hf download "$repository" --local-dir "runs/${repository##*/}"
