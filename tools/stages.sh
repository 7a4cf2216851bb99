#!/usr/bin/env bash
# Stages of a recipe, to be sourced after parse_options.sh. A stage reads files, makes files, and is done once:
#
#   marks=$data
#   if begin_stage 3 "pack" reads "$data"/train/{wav.scp,utt2spk} makes "$data/train.pack"; then
#     vqspeech pack "$data/train" "$data/train.pack" --jobs "$nj"
#     end_stage
#   fi
#
# begin_stage is true when the stage is among --stage to --stop-stage and is not done. end_stage looks whether all it
# `makes` is there, and leaves the mark $marks/.stage_3.done. The mark holds for as long as these stay the same: the
# content of what the stage reads, its commands in the recipe, and the options that stand in them ($nj, $ngpu and the
# like apart). Of a stage that was interrupted, what is there is kept and gone on with; where the mark holds no longer,
# what it made is removed first. So that no work is lost by that, two other words can stand for `makes`:
#
#   updates   never removed: the commands themselves find out what is missing (a download)
#   guards    never removed: where what the stage has read is another now, the recipe stops and says so (a trained
#             model)
#
# Besides: $work, a folder for what the stage needs while it runs, removed when it is done; `absolute NAME...`, which
# makes options that are paths independent of the folder you are in; `split_data DIR`, for the jobs of --nj; and the
# steps of recipe_steps.sh, which several recipes take.

# shellcheck disable=SC2034,SC2154  # the recipe declares stage, nj and marks, and uses launch, device, work and split
# Options that change how fast a stage is, not what it makes.
_no_matter=" stage stop_stage nj ngpu threads jobs device cmd train_cmd marks recipe "
_stage=
_title=

if ! command -v vqspeech >/dev/null; then
  "$VQSPEECH_ROOT/tools/setup.sh"
  hash -r
fi
for _name in stage stop_stage nj ngpu; do
  [[ ${!_name-0} =~ ^[0-9]+$ ]] || _recipe_fault "--${_name/_/-} takes a number, not '${!_name}'"
done

_tools=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tools/recipe_steps.sh
. "$_tools/recipe_steps.sh"
mapfile -t _steps < <(sed -n 's/^\([a-z_]*\)() {$/\1/p' "$_tools/recipe_steps.sh")

fail() {
  echo "$0: $*" >&2
  exit 1
}

absolute() {
  local name
  for name; do
    [[ -z ${!name} || ${!name} == /* ]] || printf -v "$name" '%s' "$(realpath -ms -- "${!name}")"
  done
}

# How to train on --ngpu GPUs: "${launch[@]}" train ... --device "$device"
launch=(vqspeech)
device=cpu
if ((${ngpu:-0} > 0)); then
  device=cuda
fi
if ((${ngpu:-0} > 1)); then
  launch=(torchrun --standalone --nproc-per-node "$ngpu" -m vqspeech)
fi

# config_file FOLDER NAME: the YAML file that --conf means: in the recipe's own conf/, any other, or a preset.
config_file() {
  local file presets
  presets=$(python3 -c 'import vqspeech; print(vqspeech.__path__[0])')/presets
  for file in "$1/$2.yaml" "$2" "$1/../$2" "$presets/$2.yaml" "$presets/units/$2.yaml"; do
    if [[ -f $file ]]; then
      realpath -s -- "$file"
      return
    fi
  done
  _recipe_fault "there is no configuration $2, in $1 or among the presets ($(basename -s .yaml -a "$presets"/*.yaml "$presets"/units/*.yaml |
    paste -s -d ' '))"
}

# units_only FILE: whether a configuration is of a unit model, which train-units trains and which has no voices.
units_only() {
  grep -q '^  mask_share:' "$1"
}

# model_named MODEL [OPTION]: the folder of a packaged model of that name, else the path, made absolute; of an
# experiment its best model. Given by --model, or by another option.
model_named() {
  python3 - "$1" "${2:-model}" <<'EOF' || exit 2
import os
import sys

from vqspeech.errors import InputError
from vqspeech.model.packaged import best_of, find_model

try:
    print(os.path.abspath(best_of(find_model(sys.argv[1]))))
except InputError as error:
    sys.exit(f"--{sys.argv[2]}: {error}")
EOF
}

# need NAME WHAT: stop where an option that has no default was not given.
need() {
  [[ -n ${!1} ]] || _recipe_fault "--${1//_/-} is missing: $2"
}

# The commands of the stage as they stand in the recipe, without comments, and the steps of recipe_steps.sh among them.
_commands() {
  local text step
  text=$(awk -v begin="^if (.* && )?begin_stage $_stage " \
    '$0 ~ begin { on = 1 } on && !/^ *#/ { print } on && /^fi/ { exit }' "$0")
  echo "$text"
  for step in "${_steps[@]}"; do
    if grep -qE "^ *$step( |$)" <<<"$text"; then
      declare -f "$step"
    fi
  done
}

# The SHA-256 of a file, or of the list of a folder's files with size and time. Kept in a table by size and time, for
# packs are large.
_digest() {
  local key found
  if [[ -d $1 ]]; then
    find -L "$1" -type f -printf '%P %s %T@\n' | LC_ALL=C sort | sha256sum | cut -d ' ' -f 1
    return
  fi
  key=$(stat -L -c '%s %.9Y' -- "$1")
  found=$(awk -v key="$key $1" 'substr($0, 66) == key { print $1; exit }' "$marks/.digests" 2>/dev/null || true)
  if [[ -z $found ]]; then
    found=$(sha256sum <"$1" | cut -d ' ' -f 1)
    echo "$found $key $1" >>"$marks/.digests"
  fi
  echo "$found"
}

# A path as marks name it: from the recipe's folder that it is in, which may be moved, to a larger disk for one.
_label() {
  local name
  for name in exp out data recipe VQSPEECH_ROOT; do
    if [[ -n ${!name-} && $1/ == "${!name}"/* ]]; then
      echo "$name${1#"${!name}"}"
      return
    fi
  done
  printf '%s\n' "$1"
}

# All that decides what the stage makes, a line each.
_circumstances() {
  local _text _option _file  # with a name of a kind that no option has
  _text=$(_commands)
  echo "commands $(sha256sum <<<"$_text" | cut -d ' ' -f 1)"
  while read -r _option; do
    if [[ $_no_matter != *" $_option "* ]] && grep -qE "^$_option=" "$0"; then
      echo "option --${_option//_/-} $(_label "${!_option-}")"
    fi
  done < <(grep -oE '\$\{?[a-z][a-z_0-9]*' <<<"$_text" | tr -d "\${" | LC_ALL=C sort -u)
  for _file in "${_reads[@]}"; do
    echo "reads $(_digest "$_file") $(_label "$_file")"
  done
}

_write() {
  { cat >"$1.new" && mv -f "$1.new" "$1"; } || fail "cannot write $1"
}

# begin_stage N TITLE reads FILE... makes|updates|guards FILE...
begin_stage() {
  local _word _list=none _now _before _changed
  _stage=$1 _title=$2 _reads=() _makes=() _care=makes
  shift 2
  if ((_stage < stage || _stage > stop_stage)); then
    _stage=
    return 1
  fi
  for _word; do
    case $_word in
      reads) _list=reads ;;
      makes | updates | guards) _list=makes _care=$_word ;;
      *) if [[ $_list == reads ]]; then _reads+=("$_word"); else _makes+=("$_word"); fi ;;
    esac
  done
  printf '\n== stage %s: %s\n' "$_stage" "$_title"
  for _word in "${_reads[@]}"; do
    [[ -e $_word ]] || fail "stage $_stage reads $_word, which is not there: an earlier stage makes it"
  done
  _mark=$marks/.stage_$_stage.done
  _begun=$marks/.stage_$_stage.begun
  work=$marks/.stage_$_stage.work
  mkdir -p "$marks" || fail "cannot make the folder $marks"
  # The lock is passed on to the commands: a run that was killed and has left one of them at work is waited for.
  exec {_lock}>>"$marks/.lock" || fail "cannot write in $marks"
  if ! flock -n "$_lock"; then
    echo "waiting for another run that is at work in $marks ..."
    flock "$_lock"
  fi
  _now=$(_circumstances) || fail "cannot tell what stage $_stage depends on"
  if [[ -f $_mark && $(<"$_mark") == "$_now" ]] && _all_there; then
    echo "done before (to do it again: rm $_mark)"
    _leave_stage
    return 1
  fi
  if [[ -f $_begun ]]; then
    _before=$(<"$_begun")
    if [[ $_before != "$_now" ]]; then
      _changed=$(LC_ALL=C comm -3 <(LC_ALL=C sort <<<"$_before") <(LC_ALL=C sort <<<"$_now") | tr -d '\t')
      _start_afresh "$_changed"
    fi
  fi
  rm -f "$_mark"
  _write "$_begun" <<<"$_now"
  mkdir -p "$work" || fail "cannot make the folder $work"
}

# Lines that are others now than when the stage was begun: what is left of it may not be used any more.
_start_afresh() {
  local what
  what=$(awk '/^reads/ { print substr($0, 72) } /^option/ { print $2 } /^commands/ { print "its commands" }' <<<"$1" |
    LC_ALL=C sort -u | paste -s -d , | sed 's/,/, /g')
  if [[ $_care == guards ]] && grep -q '^reads' <<<"$1" && _any_there; then
    fail "stage $_stage was begun with other input; changed since: $what
  To keep what it made, use another --tag. To make it again from the new input, remove ${_makes[*]}"
  fi
  if [[ $_care == makes ]]; then
    echo "changed since: $what; what the stage made before is made again"
    rm -rf "${_makes[@]}"
  fi
  rm -rf "$work"
}

_any_there() {
  local file
  for file in "${_makes[@]}"; do
    [[ ! -e $file ]] || return 0
  done
  return 1
}

_all_there() {
  local file
  for file in "${_makes[@]}"; do
    if [[ -d $file ]]; then
      [[ -n $(find "$file" -type f -print -quit) ]] || return 1
    else
      [[ -s $file ]] || return 1
    fi
  done
}

_leave_stage() {
  exec {_lock}>&-
  _stage=
}

# The stage has come to its end: see that all is there, and mark it done.
end_stage() {
  local file
  for file in "${_makes[@]}"; do
    [[ -e $file ]] || fail "stage $_stage has not made $file"
  done
  _all_there || fail "stage $_stage has made an empty file or folder; one of: ${_makes[*]}"
  rm -rf "$work"
  _write "$_mark" <"$_begun"
  _leave_stage
}

# Split a data directory for the jobs of --nj: into $split/1, $split/2 and so on, $shards of them.
split_data() {
  local utterances
  utterances=$(wc -l <"$1/utt2spk")
  shards=$((nj < utterances ? nj : utterances))
  split=$work/$(basename "$1")_$shards
  vqspeech split "$1" "$split" --into "$shards"
}

_when_leaving() {
  local status=$?
  if [[ -n $_stage ]]; then
    printf '\n%s: stage %s (%s) has not come to its end.\n' "$0" "$_stage" "$_title"
    echo "Once the cause is mended, go on with the following; what is done will not be done again."
    printf ' '
    printf ' %q' "$0" --stage "$_stage" "${_recipe_words[@]}"
    echo
  fi >&2
  exit "$status"
}
trap _when_leaving EXIT
