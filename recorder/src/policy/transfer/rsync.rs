//! The command lines that rsync's client sends: which of its server's options make it a transfer.
//!
//! A list of what is known to be harmless. Not on it, among others: `--daemon` (over ssh it reads a configuration from the
//! user's directory, which may name programs to run), `--config`, `--dparam`, `--rsh` and every `-e` that is not the list of
//! capabilities, `--rsync-path`, `--log-file`, the batch options (one writes a shell script), `--write-devices`, and `-s`, with
//! which the options come on standard input, where nobody has looked at them.

/// Letters without a value.
const LETTERS: &str = "vqbunldKmOJyLkWHogDtUNpEAXrcCIRxSz";

/// Options that are whole words.
const WORDS: [&str; 36] = [
    "--append",
    "--copy-unsafe-links",
    "--delay-updates",
    "--delete",
    "--delete-after",
    "--delete-before",
    "--delete-delay",
    "--delete-during",
    "--delete-excluded",
    "--delete-missing-args",
    "--existing",
    "--fake-super",
    "--files-from=-",
    "--force",
    "--from0",
    "--fsync",
    "--ignore-errors",
    "--ignore-existing",
    "--ignore-missing-args",
    "--inplace",
    "--list-only",
    "--mkpath",
    "--msgs2stderr",
    "--new-compress",
    "--no-W",
    "--no-implied-dirs",
    "--no-msgs2stderr",
    "--no-r",
    "--no-relative",
    "--no-specials",
    "--numeric-ids",
    "--old-compress",
    "--open-noatime",
    "--partial",
    "--preallocate",
    "--safe-links",
];

/// More of them, which say what is sent and told.
const WORDS_MORE: [&str; 7] =
    ["--remove-sent-files", "--remove-source-files", "--size-only", "--specials", "--stats", "--super", "--use-qsort"];

/// Options whose value follows `=`.
const WITH_VALUE: [&str; 18] = [
    "--bwlimit",
    "--checksum-choice",
    "--checksum-seed",
    "--compress-choice",
    "--compress-level",
    "--debug",
    "--groupmap",
    "--iconv",
    "--info",
    "--log-format",
    "--max-alloc",
    "--max-delete",
    "--max-size",
    "--min-size",
    "--modify-window",
    "--skip-compress",
    "--suffix",
    "--timeout",
];

/// Options whose value is the next word, a path.
const WITH_PATH: [&str; 7] =
    ["--backup-dir", "--compare-dest", "--copy-dest", "--files-from", "--link-dest", "--partial-dir", "--temp-dir"];

/// `--server`, for one direction or the other, options of these, a dot, and what it is about.
pub(super) fn takes(args: &[String]) -> bool {
    let Some((_, rest)) = args.split_first().filter(|(first, _)| *first == "--server") else { return false };
    let rest = match rest.split_first() {
        Some((sender, rest)) if sender == "--sender" => rest,
        _ => rest,
    };
    let mut rest = rest.iter().map(String::as_str);
    loop {
        match rest.next() {
            Some(".") => break,
            Some(option) if WITH_PATH.contains(&option) => {
                if rest.next().is_none_or(|path| path.starts_with('-')) {
                    return false;
                }
            }
            Some(option) if is_known(option) => {}
            _ => return false,
        }
    }
    // An option may stand after the paths too, as rsync reads its line.
    let paths: Vec<&str> = rest.collect();
    !paths.is_empty() && !paths.iter().any(|path| path.starts_with('-'))
}

fn is_known(option: &str) -> bool {
    if option.starts_with("--") {
        let named = option.split_once('=').map(|(name, _)| name);
        return WORDS.contains(&option)
            || WORDS_MORE.contains(&option)
            || named.is_some_and(|name| WITH_VALUE.contains(&name) || name == "--usermap");
    }
    let Some(letters) = option.strip_prefix('-').filter(|letters| !letters.is_empty()) else { return false };
    if let Some(number) = letters.strip_prefix('B').or_else(|| letters.strip_prefix("@-")) {
        return !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    }
    let (letters, capabilities) = letters.split_once('e').map_or((letters, None), |(all, e)| (all, Some(e)));
    letters.chars().all(|letter| LETTERS.contains(letter)) && capabilities.is_none_or(are_capabilities)
}

/// `-e` means "remote shell" to the client and to the server nothing but what its client can do: the version of a
/// protocol that is not released yet, a dot, letters.
fn are_capabilities(text: &str) -> bool {
    text.split_once('.').is_some_and(|(version, letters)| {
        text.len() <= 32
            && version.bytes().all(|b| b.is_ascii_digit())
            && letters.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    fn is_transfer(line: &str) -> bool {
        super::super::known(line).is_some()
    }

    /// What rsync 3.5.0 was seen to send, and lines in the style of older versions.
    #[test]
    fn what_rsync_sends_is_a_transfer() {
        for line in [
            "rsync --server -logDtpre.iLsfxCIvu . /tmp/x",
            "rsync --server -vlogDtprze.iLsfxCIvu . /tmp/x/",
            "rsync --server --sender -logDtpre.iLsfxCIvu . /tmp/x",
            "rsync --server -vlogDtprze.iLsfxCIvu --delete --partial . .",
            "rsync --server -lHogDtpAXrSe.iLsfxCIvu --numeric-ids . dst",
            "rsync --server -logDtpre.iLsfxCIvu --timeout=30 --bwlimit=1024 --partial-dir .part --link-dest ../prev . dst",
            "rsync --server --sender -logDtpre.iLsfxCIvu . x y",
            "/usr/bin/rsync --server -logDtpre.iLsfxCIvu . x",
            "rsync --server -logDtpRe.LsfxCIvu . x",
            "rsync --server -logDtpre.iLsfxCIvu --usermap=1:2 . x",
            "rsync --server -ce.LsfxCIvu --compress-level=3 --checksum-choice=md5 --compress-choice=zstd . x",
            "rsync --server -logDtpre.iLsfxCIvu --append --append . x",
            "rsync --server -logDtpre.iLsfxCIvu --inplace . x",
            "rsync --server -logDtpre.iLsfxCIvu --log-format=X --stats . x",
            "rsync --server -nlogDtpre.iLsfxCIvu --log-format=%i . x",
            "rsync --server -logDtpre.iLsfxCIvu --iconv=latin1 . x",
            "rsync --server -blogDtpre.iLsfxCIvu --backup-dir bk --suffix=.o . x",
            "rsync --server -logDtpre.iLsfxCIvu --max-delete=3 --min-size=1 --max-size=1048576 --delete-after . x",
            "rsync --server --sender -de.LsfxCIvu --list-only . x",
            "rsync --server --sender -logDtpre.iLsfxCIvu --remove-source-files . x",
            "rsync --server -logDtpr . x",
            "rsync --server -logDtpre.iLsfxCIvu --temp-dir /tmp --fsync --mkpath . /x/y",
            "rsync --server -vvlDtpre.iLsfxCIvu . ./-x",
            "rsync --server -logDtpre.iLsfxCIvu --super --fake-super . x",
            "rsync --server -e.LsfxCIvu . x",
            "rsync --server -logDtpre.iLsfxCIvu --copy-dest /a --copy-dest b . x",
            "rsync --server -ulOogDtre.iLsfxCIvu --delete-excluded --force --size-only --modify-window=1 --ignore-errors --ignore-existing --existing . x",
            "rsync --server -logDtpre.iLsfxCIvu -B1000 --checksum-seed=5 . x",
            "rsync --server -logDtpre.iLsfxCIvu --new-compress . x",
            "rsync --server --sender -logDtpre.iLsfxCIvu --compress-level=3 --skip-compress=gz/xz . x",
            "rsync --server -logDtpre.iLsfxCIvu . ünï",
            "rsync --server --sender -lLkogDtUprxe.LsfxCIvu --msgs2stderr --skip-compress=gz/xz --open-noatime . x",
            "rsync --server -vlogDtpre.iLsfx --log-format=%i%I . x",
            "rsync --server -logDtpre31.14iLsfxC . x",
            "rsync --server --sender -logDtpre.iLsfxC --files-from=- --from0 --no-relative . x",
            "rsync --server --sender -logDtpre.iLsfxC --files-from /srv/list . x",
            "rsync --server -logDtpre.iLsfxC -@-1 . x",
        ] {
            assert!(is_transfer(line), "{line}");
        }
    }

    #[test]
    fn what_could_run_something_is_none() {
        for line in [
            "rsync",
            "rsync --server",
            "rsync --server .",
            "rsync --server x",
            "rsync --server -logDtpr",
            "rsync --sender --server . x",
            "rsync -a a host:b",
            "rsync -e bash --server . x",
            "rsync --server -e bash . x",
            "rsync --server -ebash . x",
            "rsync --server -e /tmp/x . x",
            "rsync --server -e/tmp/x.y . x",
            "rsync --server -e./x . x",
            "rsync --server -logDtpre . x",
            "rsync --server -logDtpre.a.b . x",
            "rsync --server --rsh=bash . x",
            "rsync --server --rsh bash . x",
            "rsync --server --rsync-path=bash . x",
            "rsync --server --daemon .",
            "rsync --server --daemon . x",
            "rsync --server --config=x --daemon . x",
            "rsync --server --sender --daemon --config=/tmp/c . x",
            "rsync --server . x --daemon",
            "rsync --server . x -ebash",
            "rsync --server . -x",
            "rsync --server . --",
            "rsync --server -- . x",
            "rsync --server --dparam=path=/ . x",
            "rsync --server -Mx . x",
            "rsync --server -logDtpre.iLsfxCIvu --log-file=/tmp/l . x",
            "rsync --server -logDtpre.iLsfxCIvu --write-devices . x",
            "rsync --server --write-batch=/tmp/x . x",
            "rsync --server --only-write-batch=X . x",
            "rsync --server --read-batch=/tmp/x . x",
            "rsync --server --filter=x . x",
            "rsync --server --password-file=x . x",
            "rsync --server --copy-as=root . x",
            "rsync --server --stop-at=x . x",
            "rsync --server --early-input=x . x",
            "rsync --server --partial-dir . x",
            "rsync --server --partial-dir --daemon . x",
            "rsync --server --partial-dir=x . x",
            "rsync --server --temp-dir . x",
            "rsync --server --sender -slogDtpre.iLsfxCIvu",
            "rsync --server -slogDtpre.iLsfxCIvu . x",
            "rsync --server -s . x",
            "rsync --server --secluded-args . x",
            "rsync --server --protect-args . x",
            "rsync --server -T/tmp . x",
            "rsync --server -f x . x",
            "rsync --server -B . x",
            "rsync --server -Bx . x",
            "rsync --server -@1 . x",
            "rsync --server - . x",
            "rsync --server -P . x",
            "rsync --server --delete=bash . x",
            "rsync --server --deletex . x",
            "rsync --server -logDtpre.iLsfxCIvu --usermap=\\*:a . x",
            "rsync --server -logDtpre.iLsfxCIvu . /tmp/a\\ b",
            "rsync --server --sender -logDtpre.iLsfxCIvu . ~/x",
            "rsync --server --sender -logDtpre.iLsfxCIvu . *.c",
            "rsync --server . x; bash",
            "rsync --server . x\nbash",
            "rsync --server . $(bash)",
            "sudo rsync --server -logDtpre.iLsfxCIvu . x",
            "/usr/local/bin/rsync --server . x",
            "/home/ann/rsync --server . x",
        ] {
            assert!(!is_transfer(line), "{line:?}");
        }
    }
}
