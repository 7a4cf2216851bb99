#!/usr/bin/env bash
# shellcheck disable=SC2034  # read by run.sh
# What stands before the commands of a recipe that take long, to be sourced: where they run.
#
#   run.py     on this machine (run.py --help)
#   slurm.py   through Slurm's srun (slurm.py --help)

# Stages over utterances, --nj jobs side by side.
cmd="run.py"
# Training, one job with --ngpu GPUs.
train_cmd="run.py"

# cmd="slurm.py --partition cpu --mem 4G --time 8:00:00"
# train_cmd="slurm.py --partition gpu --mem 32G --time 72:00:00"
