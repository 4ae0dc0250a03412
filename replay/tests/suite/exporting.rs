//! `export`: the forms, where they may go, and what happens when a recording is refused half-way. Also `play`
//! without a terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::store::{recorded, shown};

fn raw(segments: usize) -> Vec<u8> {
    (0..segments).flat_map(|n| [shown(n).as_bytes(), &[0xff, 0, b'x']].concat()).collect()
}

#[test]
fn raw_is_the_exact_bytes_and_txt_what_could_be_read() {
    let (world, _) = recorded(3, None);
    let output = world.command(&["export", "latest", "--as", "raw"]).output().unwrap();
    assert_eq!(output.stdout, raw(3));
    let empty = world.run(&["export", "latest", "--as", "raw", "--stream", "input"]);
    empty.expect(0, &["nothing of this was recorded"]);
    let text = world.run(&["export", "latest", "--as", "txt"]);
    assert_eq!(text.out, "segment 0: café\n\u{fffd}xsegment 1: café\n\u{fffd}xsegment 2: café\n\u{fffd}x\n");
    assert_eq!(world.run(&["export", "latest", "--as", "txt", "--stream", "output"]).out, text.out);
    world.run(&["export", "latest", "--as", "txt", "--stream", "input"]).expect(2, &["--as raw --stream input"]);
}

#[test]
fn cast_is_the_lines_as_they_were_recorded() {
    let (world, _) = recorded(2, None);
    let cast = world.run(&["export", "latest", "--as", "cast"]).out;
    let lines: Vec<&str> = cast.lines().collect();
    assert!(lines[0].starts_with(r#"{"version":3,"#), "{}", lines[0]);
    let expected = [
        r#"[0.100, "o", "segment 0: café\r\n"]"#,
        "[0.100, \"o\", \"\u{fffd}\\u0000x\"]",
        r#"[0.000, "b", "ff"]"#,
        r#"[0.005, "r", "80x24"]"#,
        r#"[0.095, "o", "segment 1: café\r\n"]"#,
        "[0.100, \"o\", \"\u{fffd}\\u0000x\"]",
        r#"[0.000, "b", "ff"]"#,
        r#"[0.100, "x", "0"]"#,
    ];
    assert_eq!(lines[1..], expected);
    world.run(&["export", "latest", "--as", "cast", "--stream", "error"]).expect(2, &["leave out --stream"]);
}

#[test]
fn files_are_private_and_never_overwritten() {
    let (world, _) = recorded(1, None);
    world.run(&["export", "latest", "--as", "raw", "-o", "bytes"]).expect(0, &[]);
    let path = world.root.join("bytes");
    assert_eq!(fs::read(&path).unwrap(), raw(1));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(&path, "mine").unwrap();
    world.run(&["export", "latest", "--as", "raw", "-o", "bytes"]).expect(2, &["exists already", "never overwrite"]);
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    world.run(&["export", "latest", "--as", "raw", "-o", "no/such/bytes"]).expect(2, &["cannot create"]);
    // A link to somewhere is not followed either.
    std::os::unix::fs::symlink("elsewhere", world.root.join("link")).unwrap();
    world.run(&["export", "latest", "--as", "raw", "-o", "link"]).expect(2, &["exists already"]);
    assert!(!world.root.join("elsewhere").exists());
}

#[test]
fn a_refusal_half_way_says_how_far_what_was_written_goes() {
    let (world, _) = recorded(3, Some(1));
    for form in ["raw", "cast", "txt"] {
        let said = world.run(&["export", "latest", "--as", form, "-o", form]);
        said.expect(1, &["segment 1", "footer", "what was written ends there", "bytes, up to 0:00.4"]);
        let written = fs::read(world.root.join(form)).unwrap();
        let number = format!(": {} bytes", written.len());
        assert!(said.err.contains(&number), "{number} in {}", said.err);
        let text = String::from_utf8_lossy(&written);
        assert!(text.contains("segment 0") && !text.contains("segment 2"), "{text}");
    }
    let forced = world.command(&["export", "latest", "--as", "raw", "--force"]).output().unwrap();
    assert_eq!((forced.status.code(), forced.stdout), (Some(0), raw(3)));
    assert!(String::from_utf8_lossy(&forced.stderr).contains("segment 1"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let (world, _) = recorded(3, None);
    for form in ["raw", "cast", "txt"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = world.command(&["export", "latest", "--as", form]).stdout(Stdio::from(writer)).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(!String::from_utf8_lossy(&output.stderr).contains("error"), "{output:?}");
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = world.command(&["export", "latest", "--as", "raw"]).stdout(full).output().unwrap();
    assert_ne!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"), "{output:?}");
}

#[test]
fn play_needs_a_terminal_and_says_what_else_there_is() {
    let (world, _) = recorded(1, None);
    let said = world.run(&["play", "latest"]);
    said.expect(2, &["standard output is not a terminal", "export --as txt"]);
    assert_eq!(said.out, "");
}
