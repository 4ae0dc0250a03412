# What bash reads at its start where the recorder puts marks into sessions (`shell_marks` in record.toml). Not to be
# installed by hand: that is `hansard.bash`.
#
# A shell that is no login shell reads it in place of ~/.bashrc (`bash --rcfile`). For login shells bash has no such option: it
# is started in POSIX mode, in which it reads the file that ENV names and no other, and leaves that mode here. Either way the
# files that bash(1) names under INVOCATION are read then, at top level as bash itself would, and the marks come last.

# Called last. The first prompt finds the status that the files left, where that does not end the shell (`set -e`).
__hansard_start() {
    local status=$?
    \builtin . "${BASH_SOURCE[0]%/*}/hansard.bash"
    unset -f __hansard_start
    [[ $- != *e* ]] || status=0
    return "$status"
}

if [[ -o posix ]]; then
    set +o posix
    # Leaving POSIX mode leaves this one.
    shopt -u inherit_errexit
    if [[ -n ${HANSARD_ENV+set} ]]; then
        ENV=$HANSARD_ENV
        unset HANSARD_ENV
    else
        unset ENV
    fi
    # Two that have another default in POSIX mode. What came with the environment is exported.
    if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
        [[ ${HISTFILE@a} == *x* ]] || HISTFILE=~/.bash_history
        [[ ${MAILCHECK@a} == *x* ]] || MAILCHECK=60
    fi
    if [[ -e /etc/profile ]]; then
        . /etc/profile
    fi
    if [[ -e ~/.bash_profile ]]; then
        . ~/.bash_profile
    elif [[ -e ~/.bash_login ]]; then
        . ~/.bash_login
    elif [[ -e ~/.profile ]]; then
        . ~/.profile
    fi
elif [[ -e ~/.bashrc ]]; then
    . ~/.bashrc
fi
__hansard_start
