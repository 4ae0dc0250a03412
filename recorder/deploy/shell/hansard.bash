# Marks of prompts and commands for `hansard-replay timeline`, for bash 4.4 and later.
#
# Install for yourself:   echo '. /usr/share/hansard/shell/hansard.bash' >> ~/.bashrc
# Install for everybody:  the same line at the end of /etc/bash.bashrc (after whatever sets PS1 or PROMPT_COMMAND)
#
# It sends OSC 133 (A prompt, B typing begins, C the command runs, D;STATUS it ended) and OSC 7 (the directory). Terminals
# that do not know them show nothing of them. The recorder does not bring it into a shell by itself; and it is the shell
# of the recorded user that says these things, so they are no evidence: what was shown is.

if [[ $- == *i* && -z ${__hansard_ran-} && $TERM != dumb ]]; then
    # Whether a command has run since the last prompt.
    __hansard_ran=0

    __hansard_precmd() {
        local status=$?
        ((__hansard_ran)) && printf '\e]133;D;%s\a' "$status"
        __hansard_ran=0
        # The path, with every byte escaped that is not plain.
        local LC_ALL=C path='' char i
        for ((i = 0; i < ${#PWD}; i++)); do
            char=${PWD:i:1}
            if [[ $char != [a-zA-Z0-9/._~-] ]]; then
                printf -v char '%02X' "'$char"
                # Bytes over 127 are negative numbers to printf.
                char=%${char: -2}
            fi
            path+=$char
        done
        printf '\e]7;file://%s%s\a' "${HOSTNAME-}" "$path"
        # Something may have set the prompt anew.
        [[ $PS1 == *'133;A'* ]] || PS1='\[\e]133;A\a\]'$PS1'\[\e]133;B\a\]'
        return "$status"
    }

    # The first of them, so that the status is that of the command.
    if [[ $(declare -p PROMPT_COMMAND 2>/dev/null) == 'declare -a'* ]]; then
        PROMPT_COMMAND=(__hansard_precmd "${PROMPT_COMMAND[@]}")
    else
        PROMPT_COMMAND="__hansard_precmd${PROMPT_COMMAND:+; $PROMPT_COMMAND}"
    fi
    # Shown when a command has been read. The second part shows nothing: it only sets the variable, without a subshell.
    PS0='\e]133;C\a${HOSTNAME:$((__hansard_ran = 1, 0)):0}'${PS0-}
fi
