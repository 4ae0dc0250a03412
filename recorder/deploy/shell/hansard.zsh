# Marks of prompts and commands for `hansard-replay timeline`, for zsh 5 and later.
#
# Install for yourself:   echo '. /usr/share/hansard/shell/hansard.zsh' >> ~/.zshrc
# Install for everybody:  the same line at the end of /etc/zsh/zshrc
#
# It sends OSC 133 (A prompt, B typing begins, C the command runs, D;STATUS it ended) and OSC 7 (the directory). Terminals
# that do not know them show nothing of them. The recorder brings it into shells where its policy says so (`shell_marks`); and
# it is the shell of the recorded user that says these things, so they are no evidence: what was shown is.

if [[ -o interactive && -z ${__hansard_state-} && ${TERM-} != dumb ]]; then
    typeset -g __hansard_state=ready

    __hansard_precmd() {
        local hansard_status=$?
        [[ $__hansard_state == running ]] && printf '\e]133;D;%s\a' $hansard_status
        __hansard_state=ready
        emulate -L zsh
        setopt extended_glob
        local LC_ALL=C MATCH
        # The path with everything escaped that is not plain.
        printf '\e]7;file://%s%s\a' "$HOST" "${PWD//(#m)[^a-zA-Z0-9\/._~-]/%${(l:2::0:)$(([##16]#MATCH))}}"
        # Something may have set the prompt anew.
        [[ $PS1 == *'133;A'* ]] || PS1=$'%{\e]133;A\a%}'$PS1$'%{\e]133;B\a%}'
        return $hansard_status
    }

    __hansard_preexec() {
        __hansard_state=running
        printf '\e]133;C\a'
    }

    # The first of them, so that the status is that of the command.
    typeset -ga precmd_functions preexec_functions
    precmd_functions=(__hansard_precmd $precmd_functions)
    preexec_functions+=(__hansard_preexec)
fi
