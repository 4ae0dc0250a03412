//! Enrolling users with the machine's own `usermod`, `chsh` and `su`: the login shell is exchanged and given back, nobody is
//! left without one, and nobody can change away by himself.
//!
//! Everything runs in a mount namespace with copies over `/etc` and `/usr/bin`, and a login shell that only says that it was
//! asked. Not for what the real one does. Needs root.

use std::process::Output;

use hansard_tests::call::{code, said};
use hansard_tests::home::Home;
use hansard_tests::programs;

const PASSWORD: &str = "Kestrel-4711-quill";

/// Makes the namespace's `/etc` and `/usr/bin`, the users `alice` and `bob`, and the login shell.
const SCENE: &str = r#"
set -eu
over() { mkdir "$HOME/$1.upper" "$HOME/$1.work"; mount -t overlay overlay -o "lowerdir=$2,upperdir=$HOME/$1.upper,workdir=$HOME/$1.work" "$2"; }
over etc /etc; over bin /usr/bin
rm -rf /etc/hansard /etc/passwd.lock
useradd --uid 7001 --no-create-home --home-dir /tmp --shell /bin/bash alice
useradd --uid 7002 --no-create-home --home-dir /tmp --shell /bin/sh bob
echo "alice:$PASSWORD" | chpasswd
printf '%s\n' '#!/bin/sh' 'echo "recorded: $*"' 'exec "$(sed -n "s/^$(id -un)://p" /etc/hansard/shells)" "$@"' > /usr/bin/hansard-shell
chmod 755 /usr/bin/hansard-shell
cp "$RECORDER" /usr/bin/hansard-record; chmod 755 /usr/bin/hansard-record
shell_of() { getent passwd "$1" | cut -d : -f 7; }
is() { [ "$1" = "$2" ] || { echo "not $2 but $1 ($3)" >&2; exit 90; }; }
ended() { wanted=$1; shift; status=0; "$@" > "$HOME/out" 2> "$HOME/err" || status=$?; cat "$HOME/out" "$HOME/err"; is "$status" "$wanted" "$*"; }
says() { grep -qF -- "$1" "$HOME/out" "$HOME/err" || { echo "does not say: $1" >&2; exit 91; }; }
"#;

fn run(script: &str) -> Output {
    let home = Home::empty();
    let call = home.call("/bin/bash").args(["-c", &format!("{SCENE}\n{script}")]);
    call.within(programs::outside("unshare"), ["--mount", "--propagation", "private"])
        .env("RECORDER", programs::recorder())
        .env("PASSWORD", PASSWORD)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
}

fn holds(script: &str) -> String {
    let output = run(script);
    assert_eq!(code(&output), 0, "{}", said(&output));
    said(&output)
}

#[test]
fn a_login_is_recorded_from_enroll_to_unenroll() {
    holds(
        r#"
        ended 0 hansard-record enroll alice bob; says 'alice: enrolled, with /bin/bash'; says 'no agent listens'
        is "$(shell_of alice)" /usr/bin/hansard-shell passwd
        is "$(cat /etc/hansard/shells)" $'alice:/bin/bash\nbob:/bin/sh' shells
        is "$(stat -c '%a %U' /etc/hansard /etc/hansard/shells /etc/hansard/shells.lock | xargs)" '755 root 644 root 600 root' modes
        is "$(su - alice -c 'id -un; echo $BASH' | xargs)" 'recorded: -c id -un; echo $BASH alice /bin/bash' su
        ended 0 hansard-record enroll alice; says 'alice: already enrolled, with /bin/bash'
        ended 0 hansard-record enroll --shell /bin/dash alice; is "$(head -n 1 /etc/hansard/shells)" alice:/bin/dash changed
        ended 0 setpriv --reuid 7002 --clear-groups hansard-record enroll --list --json
        says '"state": "enrolled"'; says '"shell": "/bin/dash"'
        ended 0 hansard-record unenroll alice
        is "$(shell_of alice) $(shell_of bob)" '/bin/dash /usr/bin/hansard-shell' passwd
        is "$(cat /etc/hansard/shells)" bob:/bin/sh shells
        is "$(su - alice -c 'id -un')" alice su
        ended 0 hansard-record unenroll alice; says 'not enrolled'
        usermod -s /usr/bin/hansard-shell alice
        ended 0 hansard-record unenroll --all; says 'does not say which shell it had'
        is "$(shell_of alice) $(shell_of bob)" '/bin/bash /bin/sh' passwd
        is "$(cat /etc/hansard/shells)" '' shells
        ended 0 hansard-record unenroll --all
        "#,
    );
}

#[test]
fn nobody_changes_away_and_a_listed_login_shell_is_refused() {
    holds(
        r#"
        away() { setpriv --reuid 7001 --regid 7001 --clear-groups sh -c "echo '$PASSWORD' | chsh -s /bin/bash"; }
        ended 0 hansard-record enroll alice
        ended 1 away; is "$(shell_of alice)" /usr/bin/hansard-shell 'after chsh'
        echo /usr/bin/hansard-shell >> /etc/shells
        ended 125 hansard-record enroll bob; says 'with chsh, users could change'; is "$(shell_of bob)" /bin/sh refused
        ended 0 away; is "$(shell_of alice)" /bin/bash 'this is why'
        "#,
    );
}

#[test]
fn what_cannot_be_enrolled_is_refused_and_the_others_are() {
    holds(
        r#"
        ended 1 hansard-record enroll nobody-of-that-name alice
        says 'nobody-of-that-name: no user of that name is known'; says 'alice: enrolled'
        usermod -s /usr/sbin/nologin bob
        ended 0 hansard-record enroll bob; says 'bob: skipped: /usr/sbin/nologin lets nobody in'
        for shell in bash /etc/passwd /no/such /bin/false /usr/bin/hansard-shell; do
            ended 1 hansard-record enroll --shell $shell bob
        done
        is "$(shell_of bob)" /usr/sbin/nologin untouched
        usermod -s /usr/bin/hansard-shell bob
        ended 1 hansard-record enroll bob; says 'name it with --shell'
        ended 0 hansard-record enroll --shell /bin/sh bob
        ended 0 hansard-record enroll root; says 'not even root can log in'
        ended 0 hansard-record unenroll root; is "$(shell_of root)" /bin/bash root
        ended 125 setpriv --reuid 7001 --clear-groups hansard-record enroll bob; says 'only root'
        ended 125 setpriv --reuid 7001 --clear-groups hansard-record unenroll --all; says 'only root'
        chmod 777 /usr/bin/hansard-shell; ended 125 hansard-record enroll bob; says 'others than root may write'
        chmod 644 /usr/bin/hansard-shell; ended 125 hansard-record enroll bob; says 'not executable'
        rm /usr/bin/hansard-shell; ended 125 hansard-record enroll bob; says 'nobody could log in with it'
        ended 0 hansard-record unenroll --all; is "$(shell_of alice) $(shell_of bob)" '/bin/bash /bin/sh' 'without the login shell'
        "#,
    );
}

#[test]
fn a_change_that_fails_is_taken_back() {
    holds(
        r#"
        : > /etc/passwd.lock; sleep 100000 >/dev/null 2>&1 & echo $! > /etc/passwd.lock
        ended 1 hansard-record enroll alice; says 'the login shell of alice is /bin/bash'; says 'passwd.lock'
        is "$(cat /etc/hansard/shells)" '' 'taken back'
        kill %1; rm -f /etc/passwd.lock
        # A name service that goes on saying something else.
        printf '%s\n' '#!/bin/sh' exit > "$HOME/usermod"; chmod 755 "$HOME/usermod"
        mount --bind "$HOME/usermod" /usr/sbin/usermod
        ended 1 hansard-record enroll alice; says 'the name service still has the other shell'
        is "$(cat /etc/hansard/shells)" '' 'taken back'
        umount /usr/sbin/usermod
        ended 0 hansard-record enroll alice
        mount --bind "$HOME/usermod" /usr/sbin/usermod
        ended 1 hansard-record unenroll --all
        is "$(cat /etc/hansard/shells) $(shell_of alice)" 'alice:/bin/bash /usr/bin/hansard-shell' 'what a login needs stays'
        "#,
    );
}

#[test]
fn a_shell_that_is_gone_and_a_user_who_is() {
    holds(
        r#"
        cp /bin/dash /usr/bin/own-shell
        ended 0 hansard-record enroll --shell /usr/bin/own-shell alice bob
        rm /usr/bin/own-shell
        ended 0 hansard-record enroll --list; says 'the kept shell cannot be run'
        userdel bob
        ended 0 hansard-record unenroll --all; says 'alice: /usr/bin/own-shell: No such file'; says 'bob: no longer exists'
        is "$(shell_of alice)" /bin/bash fallback; is "$(cat /etc/hansard/shells)" '' shells
        echo 'alice /bin/bash' > /etc/hansard/shells
        ended 125 hansard-record enroll alice; says '/etc/hansard/shells, line 1'
        : > /etc/hansard/shells; chmod 666 /etc/hansard/shells
        ended 125 hansard-record enroll alice; says 'others than root may write it'
        "#,
    );
}

/// libnss-extrausers and the like: a user whom the name service knows and `/etc/passwd` does not have.
#[test]
fn a_user_of_a_directory_is_remembered_and_not_changed() {
    holds(
        r#"
        # The machine's own systemd module is the directory: it knows a user "nobody" by itself.
        sed -i '/^nobody:/d' /etc/passwd
        [ -n "$(getent passwd nobody)" ] || { echo 'this needs libnss-systemd' >&2; exit 92; }
        ended 1 hansard-record enroll nobody; says 'is no user of /etc/passwd'; says 'enroll --remember --shell'
        ended 0 hansard-record enroll --remember --shell /bin/bash nobody; says 'not recorded until the directory says'
        is "$(cat /etc/hansard/shells)" nobody:/bin/bash kept
        ended 0 hansard-record enroll --list; says 'not in effect'
        ended 0 hansard-record unenroll --all; is "$(cat /etc/hansard/shells)" '' forgotten
        "#,
    );
}

/// Killed between the two files, in both directions: the user can log in, and another try ends it.
#[test]
fn a_crash_between_the_files_leaves_a_login_that_works() {
    holds(
        r#"
        printf '%s\n' '#!/bin/sh' 'kill -9 $PPID' > "$HOME/killer"
        printf '%s\n' '#!/bin/sh' "\"$HOME/real\" \"\$@\"" 'kill -9 $PPID' > "$HOME/late"
        cp /usr/sbin/usermod "$HOME/real"; chmod 755 "$HOME/killer" "$HOME/late"
        tries() { mount --bind "$HOME/$1" /usr/sbin/usermod; shift; ended 137 "$@"; umount /usr/sbin/usermod; }
        tries killer hansard-record enroll alice
        is "$(cat /etc/hansard/shells) $(shell_of alice)" 'alice:/bin/bash /bin/bash' before
        tries late hansard-record enroll alice
        is "$(cat /etc/hansard/shells) $(su - alice -c 'id -un' | xargs)" 'alice:/bin/bash recorded: -c id -un alice' after
        ended 0 hansard-record enroll alice; says 'already enrolled'
        tries killer hansard-record unenroll alice
        is "$(su - alice -c 'id -un' | xargs)" 'recorded: -c id -un alice' before
        tries late hansard-record unenroll alice
        is "$(cat /etc/hansard/shells) $(shell_of alice)" 'alice:/bin/bash /bin/bash' after
        ended 0 hansard-record unenroll alice; is "$(cat /etc/hansard/shells)" '' done
        "#,
    );
}
