#!/usr/bin/env bash
# Options of a recipe, to be sourced: `--foo-bar x` sets the variable foo_bar, which the recipe has declared before.
#
#   stage=0                       # what it is when not given
#   . tools/parse_options.sh      # then: run.sh --stage 3
#
# `--config FILE` sources a file of such variables first (looked for beside the recipe too), `--help` prints the comment
# at the top of the recipe, a variable that is true or false takes true or false alone. What is left stands in "$@".

_recipe_help() {
  awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"
}

_recipe_fault() {
  echo "$0: $1 ($0 --help)" >&2
  exit 2
}

# What the recipe was called with, --stage apart: to show how to go on.
_recipe_words=()
for ((_i = 1; _i <= $#; _i++)); do
  if [[ ${!_i} == --stage ]]; then
    ((_i++))
  else
    _recipe_words+=("${!_i}")
  fi
done

for ((_i = 1; _i < $#; _i++)); do
  if [[ ${!_i} == --config ]]; then
    _next=$((_i + 1))
    _config=${!_next}
    [[ -f $_config ]] || _config=$(dirname "$0")/$_config
    [[ -r $_config ]] || _recipe_fault "cannot read the config ${!_next}"
    # shellcheck disable=SC1090
    . "$_config"
  fi
done

while (($#)); do
  case $1 in
    --help | -h)
      _recipe_help
      exit 0
      ;;
    --)
      shift
      break
      ;;
    --*=*) _recipe_fault "write '${1%%=*} ${1#*=}', not '$1'" ;;
    --*)
      _name=${1#--}
      _name=${_name//-/_}
      (($# > 1)) || _recipe_fault "$1 needs a value"
      if [[ $_name != config ]]; then
        [[ -v $_name ]] || _recipe_fault "there is no option $1"
        if [[ ${!_name} == true || ${!_name} == false ]] && [[ $2 != true && $2 != false ]]; then
          _recipe_fault "$1 takes true or false, not '$2'"
        fi
        printf -v "$_name" '%s' "$2"
      fi
      shift 2
      ;;
    *) break ;;
  esac
done
