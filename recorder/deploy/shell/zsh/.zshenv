# What zsh reads at its start where the recorder puts marks into sessions (`shell_marks` in record.toml): ZDOTDIR names this
# folder. Not to be installed by hand: that is `hansard.zsh`.
#
# ZDOTDIR is what it was before anything of the user's is read: all of his files but .zshenv are found by zsh itself, and
# .zshenv is read here, as zsh would. The marks come when the first prompt does, after all of them.

if [[ -n ${HANSARD_ZDOTDIR+set} ]]; then
    export ZDOTDIR=$HANSARD_ZDOTDIR
    unset HANSARD_ZDOTDIR
else
    unset ZDOTDIR
fi

if [[ -o interactive ]]; then
    __hansard_folder=${${(%):-%x}:h:h}

    __hansard_begin() {
        emulate -L zsh
        # Those of the user's would be expanded in the file.
        setopt no_aliases
        precmd_functions=(${precmd_functions:#__hansard_begin})
        . "$__hansard_folder/hansard.zsh" && __hansard_precmd
        unset __hansard_folder
        unfunction __hansard_begin
    }

    typeset -ga precmd_functions
    precmd_functions+=(__hansard_begin)
fi

if [[ -r "${ZDOTDIR-$HOME}/.zshenv" ]]; then
    . "${ZDOTDIR-$HOME}/.zshenv"
fi
