#!/usr/bin/env bash
# Codes of a large corpus, in shards that run on this machine, as a Slurm array or on a Ray cluster.
#
#   egs/large_corpus/run.sh --source rows.jsonl --shards 1000 --engine slurm --options "--partition cpu --mem 4G --time 4:00:00"
#
# --source is a data directory, a folder, or a manifest (docs/guides/scale.md). --model is a model directory, an experiment,
# or a packaged model by its name, such as units; without, the default. --engine is local (--nj jobs at a time), slurm
# (--options goes to sbatch; jobs are requeued when they are preempted) or ray (--address of the cluster,
# and --nj shards at a time; a node may go). Whatever is interrupted: the same command goes on, with any engine.
#
# Stages:
#   1  encode (a manifest is looked through first, for rows that share an id, say)
#   2  join: one memory map, and text with --text true
#
# Recordings that cannot be used do not stop it: they are in exp/codes/codes.failed, with the reason.
# More options: --stage N, --stop-stage N, --exp DIR.
set -euo pipefail
recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$recipe/path.sh"
. "$recipe/cmd.sh"

stage=1
stop_stage=2
source=
model=
engine=local
options=
address=auto
shards=64
nj=1
text=false
exp=$recipe/exp
. parse_options.sh
. stages.sh
need source "a data directory, a folder or a manifest"
[[ $shards =~ ^[1-9][0-9]{0,4}$ ]] || _recipe_fault "--shards takes a number from 1, not '$shards'"
absolute source exp
[[ -z $model ]] || model=$(model_named "$model")

# No marks here: both commands find out themselves what is there, without reading a corpus of terabytes to see if it changed.
encode=(vqspeech encode "$source" --out "$exp/shards" --shards "$shards" ${model:+--model "$model"})
if ((stage <= 1 && stop_stage >= 1)); then
  case $engine in
    local | ray) ;;
    slurm) command -v sbatch >/dev/null || _recipe_fault "there is no sbatch here: use --engine local, or a machine that submits to Slurm" ;;
    *) _recipe_fault "--engine takes local, slurm or ray, not '$engine'" ;;
  esac
  mkdir -p "$exp/log"
  if [[ -f $source && ! ($exp/checked -nt $source && $(<"$exp/checked") == "$source") ]]; then
    vqspeech validate "$source" || fail "correct $source first"
    echo "$source" >"$exp/checked"
  fi
  export OMP_NUM_THREADS=1
  # A job ends with 2 where recordings cannot be used: whether all shards are there, the join finds out.
  case $engine in
    local) run.py --max-jobs-run "$nj" JOB="1:$shards" "$exp/log/encode.JOB.log" "${encode[@]}" --shard JOB || true ;;
    slurm)
      printf -v command '%q ' exec "${encode[@]}"
      # shellcheck disable=SC2086  # several words
      sbatch --wait --requeue --open-mode=append --job-name=vqspeech-encode --array="1-$shards" \
        --output="$exp/log/encode.%a.log" $options --wrap "$command" || true
      ;;
    ray)
      python3 "$recipe/local/ray_encode.py" "$source" --out "$exp/shards" --shards "$shards" --at-once "$nj" \
        --address "$address" ${model:+--model "$model"} || true
      ;;
  esac
  [[ -d $exp/shards ]] || fail "$engine has begun no shard: see above, and $exp/log"
fi

if ((stage <= 2 && stop_stage >= 2)); then
  words=()
  [[ $text == false ]] || words=(--text)
  vqspeech join "$exp/shards" "$exp/codes" --shards "$shards" ${words[@]+"${words[@]}"} ||
    fail "not all shards are there: see $exp/log, and run the same command again"
fi
