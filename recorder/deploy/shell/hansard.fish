# Marks of prompts and commands for `hansard-replay timeline`, for fish 3 and later.
#
# Install for yourself:   cp /usr/share/hansard/shell/hansard.fish ~/.config/fish/conf.d/
# Install for everybody:  cp /usr/share/hansard/shell/hansard.fish /etc/fish/conf.d/
#
# It sends OSC 133 (A prompt, B typing begins, C the command runs, D;STATUS it ended) and OSC 7 (the directory). Terminals
# that do not know them show nothing of them. fish 4 sends A, C and D by itself; those are then sent twice, which does no
# harm. The recorder brings it into shells where its policy says so (`shell_marks`); and it is the shell of the recorded user
# that says these things, so they are no evidence: what was shown is.

if status is-interactive; and not set -q __hansard_marks; and test "$TERM" != dumb
    set -g __hansard_marks ready

    function __hansard_prompt --on-event fish_prompt
        # The prompt function may be set after this file was read: it is wrapped when it is first needed.
        if not functions -q __hansard_fish_prompt
            functions -c fish_prompt __hansard_fish_prompt
            function fish_prompt
                printf '\e]133;A\a'
                __hansard_fish_prompt
                printf '\e]133;B\a'
            end
        end
        printf '\e]7;file://%s%s\a' (hostname) (string escape --style=url -- $PWD)
    end

    function __hansard_preexec --on-event fish_preexec
        printf '\e]133;C\a'
    end

    function __hansard_postexec --on-event fish_postexec
        printf '\e]133;D;%s\a' $status
    end
end
