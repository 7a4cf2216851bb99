#!/usr/bin/env bash
# shellcheck disable=SC2034  # read by run.sh
# Where the jobs of this recipe run, to be sourced: run.py on this machine, slurm.py through Slurm (slurm.py --help).
cmd="run.py"
train_cmd="run.py"
