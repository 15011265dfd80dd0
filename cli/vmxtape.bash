# bash completion of vmxtape: verbs and options come from its own --help

_vmxtape()
{
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(vmxtape --help | sed -n 's/^  \([a-z]*\) .*/\1/p')" -- "$word")
	elif [[ $word == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(vmxtape "$verb" --help 2>/dev/null |
			sed -nE 's/^  (-.,|   ) (--[a-z-]+).*/\2/p')" -- "$word")
		return
	elif [ "$before" = --space ]; then
		mapfile -t COMPREPLY < <(compgen -W 'l1 l2 l1p l2p' -- "$word")
		return
	elif [ "$before" = --least ]; then
		mapfile -t COMPREPLY < <(compgen -W 'note warning error' -- "$word")
		return
	fi
	mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$word")
}
complete -o filenames -F _vmxtape vmxtape
