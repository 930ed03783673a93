# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Completion for bash: commands, the options that a command's help lists, files.

_profcore() {
  local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='run report diff merge convert info recover top stacks dump start stop doctor help --help --version'
  elif [[ $word == -* && $command != help ]]; then
    words=$("${COMP_WORDS[0]}" help "$command" 2>/dev/null | grep -o -e '--[a-z][a-z-]*')
  elif [ "$command" = help ]; then
    words='run report diff merge convert info recover top stacks dump start stop doctor'
  else
    return # files and programs: the default
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _profcore profcore
