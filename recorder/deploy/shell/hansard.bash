# Marks of prompts and commands for `hansard-replay timeline`, for bash 4.4 and later.
#
# Install for yourself:   echo '. /usr/share/hansard/shell/hansard.bash' >> ~/.bashrc
# Install for everybody:  the same line at the end of /etc/bash.bashrc (after whatever sets PS1 or PROMPT_COMMAND)
#
# It sends OSC 133 (A prompt, B typing begins, C the command runs, D;STATUS it ended) and OSC 7 (the directory). Terminals
# that do not know them show nothing of them. The recorder brings it into shells where its policy says so (`shell_marks`); and
# it is the shell of the recorded user that says these things, so they are no evidence: what was shown is.

if [[ $- == *i* && -z ${__hansard_ran-} && ${TERM-} != dumb ]] && ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
    # Whether a command has run since the last prompt.
    __hansard_ran=0

    __hansard_precmd() {
        local status=${1-$?}
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
        [[ ${PS1-} == *'133;A'* ]] || PS1='\[\e]133;A\a\]'${PS1-}'\[\e]133;B\a\]'
        return "$status"
    }

    # The first of them, so that the status is that of the command. What it is (an array, exported) says how.
    case ${PROMPT_COMMAND+${PROMPT_COMMAND@a}} in
        # It cannot be changed: the prompt alone says all but the directory.
        *r*) PS1='\[\e]133;D;$?\a\e]133;A\a\]'${PS1-}'\[\e]133;B\a\]' ;;
        *a*) PROMPT_COMMAND=(__hansard_precmd "${PROMPT_COMMAND[@]}") ;;
        # A shell inside inherits it, and does not know the function.
        *x*)
            PROMPT_COMMAND='__hansard_now=$?; if [[ -n ${__hansard_ran-} ]]; then __hansard_precmd "$__hansard_now"; else (exit "$__hansard_now"); fi; '$PROMPT_COMMAND
            ;;
        *) PROMPT_COMMAND="__hansard_precmd${PROMPT_COMMAND:+; $PROMPT_COMMAND}" ;;
    esac
    # Shown when a command has been read. The second part shows nothing: it only sets the variable, without a subshell.
    PS0='\e]133;C\a${HOSTNAME:$((__hansard_ran = 1, 0)):0}'${PS0-}
fi
