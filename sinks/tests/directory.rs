//! The directory as sink and store: durability steps that can be seen, and hostile contents.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use hansard_schemas::names::SegmentName;
use hansard_schemas::{ChainId, Digest, SessionId, limits};
use hansard_sinks::file::{FileSink, FileStore};
use hansard_sinks::{Class, Part, Put, Sink, SinkError, Store, TimeRange};

fn name() -> SegmentName {
    let session = SessionId::new(1_795_339_800_000, &[1; 10]);
    SegmentName::new(&ChainId(Digest([7; 32])), session, 0, &Digest::of(b"x"))
}

fn part(key: String) -> Part {
    Part { name: name(), key, version: None, bytes: 0 }
}

#[test]
fn files_are_private_and_nothing_unfinished_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("a/b");
    let sink = FileSink::new(&root);
    assert_eq!(sink.put_once(&name().path(), b"bytes").unwrap(), Put::Stored);
    let path = root.join(name().path());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for directory in path.ancestors().skip(1).take_while(|p| *p != folder.path()) {
        assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700, "{}", directory.display());
    }
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn what_a_killed_writer_left_is_removed_and_a_living_ones_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name().path());
    let directory = path.parent().unwrap();
    fs::create_dir_all(directory).unwrap();
    let dead = directory.join(".put-1-0");
    fs::write(&dead, b"half").unwrap();
    let alive = directory.join(".put-2-0");
    let file = fs::File::create(&alive).unwrap();
    file.lock().unwrap();
    let store = FileStore::new(folder.path());
    assert_eq!(store.foreign().unwrap().len(), 2);
    FileSink::new(folder.path()).put_once(&name().path(), b"bytes").unwrap();
    assert!(!dead.exists() && alive.exists());
    assert!(store.foreign().unwrap()[0].why.contains("not finished"));
}

#[test]
fn a_sink_goes_on_when_its_directory_was_removed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    let sink = FileSink::new(&root);
    sink.put_once(&name().path(), b"x").unwrap();
    fs::remove_dir_all(&root).unwrap();
    assert_eq!(sink.put_once(&name().path(), b"x").unwrap(), Put::Stored);
    assert!(root.join(name().path()).exists());
}

#[test]
fn links_and_other_things_under_a_name_are_conflicts_and_are_not_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    fs::write(&outside, b"x").unwrap();
    let root = folder.path().join("store");
    let path = root.join(name().path());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    symlink(&outside, &path).unwrap();
    assert_eq!(FileSink::new(&root).put_once(&name().path(), b"x").unwrap(), Put::Conflict);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(FileSink::new(&root).put_once(&name().path(), b"x").unwrap(), Put::Conflict);
    // A link in place of a directory leads nowhere.
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::remove_dir_all(root.join("segments")).unwrap();
    symlink(&elsewhere, root.join("segments")).unwrap();
    let error = FileSink::new(&root).put_once(&name().path(), b"x").unwrap_err();
    assert!(matches!(error, SinkError::NotAFile { .. } | SinkError::Io { .. }), "{error}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_store_that_is_not_there_and_a_file_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::new(folder.path().join("nowhere"));
    for error in [store.sessions(&TimeRange::default()).unwrap_err(), store.chains().unwrap_err()] {
        assert!(matches!(error, SinkError::NotThere { .. }), "{error}");
        assert_eq!(error.class(), Class::Wait);
    }
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(FileStore::new(&file).sessions(&TimeRange::default()).is_err());
    assert!(FileSink::new(&file).put_once(&name().path(), b"x").is_err());
}

#[test]
fn nothing_is_read_outside_the_store() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), b"secret").unwrap();
    let root = folder.path().join("store");
    fs::create_dir(&root).unwrap();
    symlink(folder.path(), root.join("up")).unwrap();
    symlink(folder.path().join("secret"), root.join("link")).unwrap();
    let store = FileStore::new(&root);
    for key in ["../secret", "up/secret", "link", "./../secret", "/etc/passwd", "a\0b", ""] {
        assert!(store.read(&part(key.into()), None).is_err(), "{key:?}");
    }
    let foreign = store.foreign().unwrap();
    assert_eq!(foreign.len(), 2);
    assert!(foreign.iter().all(|found| found.why.contains("symbolic link")), "{foreign:?}");
}

#[test]
fn hostile_contents_are_reported_and_hide_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let sink = FileSink::new(root);
    let good = name().path();
    sink.put_once(&good, b"x").unwrap();
    let session = root.join(&good).parent().unwrap().to_owned();
    let other = SegmentName { number: 1, ..name() }.path();
    fs::create_dir(root.join(&other)).unwrap();
    let pipe = root.join(SegmentName { number: 2, ..name() }.path());
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
    fs::write(session.join("000003-XYZ.hseg"), b"").unwrap();
    fs::write(session.join("3-0000000000000000.hseg"), b"").unwrap();
    use std::os::unix::ffi::OsStrExt;
    fs::write(session.join(std::ffi::OsStr::from_bytes(b"\xff\xfe.hseg")), b"").unwrap();
    // A session under another day's date, and a date that is none.
    let id = name().session;
    for day in ["2026/11/23", "2026/13/40"] {
        let directory = root.join(format!("segments/{day}/0707070707070707/{id}"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("000000-0000000000000000.hseg"), b"x").unwrap();
    }
    fs::create_dir_all(root.join("chains/zz/a/b/c/d/e/f/g/h")).unwrap();
    // A session of which nothing was put yet is none.
    let begun = SessionId::new(1_795_339_800_000, &[2; 10]);
    fs::create_dir_all(root.join(format!("segments/2026/11/22/0707070707070707/{begun}"))).unwrap();
    let store = FileStore::new(root);
    let sessions = store.sessions(&TimeRange::default()).unwrap();
    assert_eq!(sessions.len(), 1);
    let parts = store.parts(&sessions[0]).unwrap();
    assert_eq!(parts.len(), 1);
    assert_eq!(store.read(&parts[0], None).unwrap(), b"x");
    assert!(store.read(&part(other), None).is_err());
    assert!(matches!(
        store.read(&part(SegmentName { number: 2, ..name() }.path()), None),
        Err(SinkError::NotAFile { what: "a named pipe", .. })
    ));
    let foreign: Vec<String> = store.foreign().unwrap().into_iter().map(|f| format!("{}: {}", f.key, f.why)).collect();
    for want in [
        "a directory, not a file",
        "a named pipe",
        "000003-XYZ",
        "/3-0000",
        "not UTF-8",
        "11/23",
        "13/40",
        "chains/zz/a",
    ] {
        assert!(foreign.iter().any(|found| found.contains(want)), "{want}: {foreign:#?}");
    }
    assert!(foreign.iter().all(|found| !found.contains(&good)), "{foreign:#?}");
}

#[test]
fn a_huge_file_is_not_taken_into_memory() {
    let folder = tempfile::tempdir().unwrap();
    let sink = FileSink::new(folder.path());
    sink.put_once(&name().path(), b"x").unwrap();
    let file = fs::OpenOptions::new().write(true).open(folder.path().join(name().path())).unwrap();
    file.set_len(1 << 40).unwrap();
    let store = FileStore::new(folder.path());
    let parts = store.parts(&store.sessions(&TimeRange::default()).unwrap()[0]).unwrap();
    assert_eq!(parts[0].bytes, 1 << 40);
    let error = store.read(&parts[0], None).unwrap_err();
    assert!(matches!(error, SinkError::TooLarge { limit: limits::SEGMENT_STORED, .. }), "{error}");
    assert_eq!(store.read(&parts[0], Some((1 << 40) - 2..1 << 41)).unwrap(), [0, 0]);
}
