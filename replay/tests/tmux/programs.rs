//! What real programs draw.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{COLS, ROWS, assert_as_tmux};

/// Until something must have been drawn.
const SOON: Duration = Duration::from_secs(60);

/// What a program put on a terminal of this size. Keys are typed when so many bytes more have come.
fn recorded(folder: &Path, command: &str, keys: &[(u64, &str)]) -> Vec<u8> {
    let file = folder.join("typescript");
    let run = format!("stty cols {COLS} rows {ROWS}; {command}");
    let mut script = Command::new("script")
        .args(["-q", "-f", "-e", "-E", "never", "-c", &run])
        .arg(&file)
        .env("TERM", "screen")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = script.stdin.take().unwrap();
    let begun = Instant::now();
    let mut from = 0;
    for (more, keys) in keys {
        from += more;
        while fs::metadata(&file).map_or(0, |file| file.len()) < from {
            assert!(begun.elapsed() < SOON && script.try_wait().unwrap().is_none(), "{command}: not {from} bytes");
            std::thread::sleep(Duration::from_millis(10));
        }
        input.write_all(keys.as_bytes()).unwrap();
        from = fs::metadata(&file).unwrap().len();
    }
    assert!(script.wait().unwrap().success(), "{command}");
    drop(input);
    let bytes = fs::read(&file).unwrap();
    // `script` puts a line of its own before and after.
    let begin = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let end = bytes.windows(14).rposition(|at| at == b"\nScript done o").unwrap_or(bytes.len());
    bytes[begin..end].to_vec()
}

/// A script for `sh` in the folder.
fn script(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn vim_shows_what_tmux_shows() {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..300).map(|n| format!("line {n}: some text to look at\n")).collect();
    fs::write(folder.path().join("text"), text).unwrap();
    let keys = "-c 'set nomore nu' -c 'norm 50G' -c redraw -c 'norm 200G' -c redraw -c split -c redraw -c 'qa!'";
    let vim = format!("vim -u NONE -i NONE -n {keys} '{}'", folder.path().join("text").display());
    let bytes = recorded(folder.path(), &vim, &[]);
    assert!(bytes.len() > 2_000, "{} bytes", bytes.len());
    assert_as_tmux("vim", &bytes);
}

#[test]
fn htop_and_top_show_what_tmux_shows() {
    let folder = tempfile::tempdir().unwrap();
    // Down, as a tree, its help, setup, and out again, once each has drawn.
    let keys =
        [(2_500, "\x1b[B\x1b[B"), (100, "t"), (300, "?"), (300, "x"), (300, "\x1b[12~"), (300, "\x1b\x1b"), (300, "q")];
    // A home of its own keeps it from reading the user's configuration.
    let htop = format!("HOME='{}' htop -d 2", folder.path().display());
    let bytes = recorded(folder.path(), &htop, &keys);
    assert!(bytes.len() > 2_000, "{} bytes", bytes.len());
    assert_as_tmux("htop", &bytes);
    let bytes = recorded(folder.path(), "top -d 0.2 -n 5", &[]);
    assert!(bytes.len() > 2_000, "{} bytes", bytes.len());
    assert_as_tmux("top", &bytes);
}

#[test]
fn tmux_itself_shows_what_tmux_shows() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("inner").display().to_string();
    // Between the steps the client draws: they are the recording's, and nothing here waits by them.
    let steps = format!(
        r#"
t() {{ tmux -S '{socket}' "$@"; sleep 0.1; }}
seq 1 60; sleep 0.1
t split-window -h 'seq 1 200; sleep 60'
t split-window -v 'printf "\\346\\227\\245\\346\\234\\254 wide\\n"; sleep 60'
t resize-pane -L 10
t copy-mode -t 1
t send-keys -t 1 -X page-up
t send-keys -t 1 -X cancel
t rotate-window
t new-window 'seq -f "%g of another window" 1 100; sleep 60'
t choose-tree
t last-window
t swap-pane -D
t resize-pane -Z
t display-message 'a message'
t kill-server
"#
    );
    let steps = script(folder.path(), "steps", &steps);
    // Its server ends under it, which it calls a failure.
    let inner = format!("env -u TMUX tmux -u -f /dev/null -S '{socket}' new-session 'sh {steps}' || true");
    let bytes = recorded(folder.path(), &inner, &[]);
    assert!(bytes.len() > 5_000, "{} bytes", bytes.len());
    assert_as_tmux("inner", &bytes);
}
