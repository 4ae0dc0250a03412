//! `export --as evidence`: what is in the folder, that it verifies as the store does, and that no byte of it changes
//! unseen.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::store::{Host, Said, Session, World, boot, recorded};

fn files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(one) = folders.pop() {
        assert_eq!(fs::metadata(&one).unwrap().permissions().mode() & 0o777, 0o700, "{}", one.display());
        for entry in fs::read_dir(one).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
                found.insert(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned(), path);
            }
        }
    }
    found
}

fn verify(world: &World, folder: &Path, session: &Session, more: &[&str]) -> Said {
    let from = format!("file://{}", folder.display());
    world.run(&[&["verify", &session.id.to_string(), "--from", &from], more].concat())
}

fn manifest(folder: &Path) -> bool {
    let call = ["--check", "--strict", "--quiet", "MANIFEST.sha256"];
    Command::new("sha256sum").args(call).current_dir(folder).output().unwrap().status.success()
}

#[test]
fn the_folder_is_a_store_with_the_same_verdict() {
    let (world, session) = recorded(2, None);
    let before = world.run(&["verify", &session.id.to_string(), "--json"]);
    world.run(&["export", "latest", "--as", "evidence", "-o", "case"]).expect(0, &[]);
    let folder = world.root.join("case");
    let files = files(&folder);
    let names: Vec<&str> = files.keys().map(String::as_str).filter(|name| !name.contains('/')).collect();
    assert_eq!(names, ["MANIFEST.sha256", "README.txt", "session.cast", "session.txt", "verify.json"]);
    for (number, segment) in session.segments.iter().enumerate() {
        assert_eq!(fs::read(&files[&session.name(number)]).unwrap(), segment.bytes);
    }
    for stored in world.files("hchain") {
        let name = stored.strip_prefix(world.store()).unwrap().to_str().unwrap();
        assert_eq!(fs::read(&files[name]).unwrap(), fs::read(&stored).unwrap());
    }
    assert!(manifest(&folder));
    let lines = fs::read_to_string(folder.join("MANIFEST.sha256")).unwrap();
    assert_eq!(lines.lines().count(), files.len() - 1, "all but the manifest");

    let after = verify(&world, &folder, &session, &["--json"]);
    after.expect(0, &["\"verdict\":\"complete\""]);
    assert_eq!(after.out, before.out);
    let first = before.out.lines().next().unwrap();
    assert_eq!(fs::read_to_string(folder.join("verify.json")).unwrap().trim_end(), first);
    for (form, file) in [("cast", "session.cast"), ("txt", "session.txt")] {
        assert_eq!(world.run(&["export", "latest", "--as", form]).out, fs::read_to_string(folder.join(file)).unwrap());
    }
    let readme = fs::read_to_string(folder.join("README.txt")).unwrap();
    for words in ["The recording is complete", &session.id.to_string(), &session.chain.to_string(), "sha256sum -c"] {
        assert!(readme.contains(words), "{words} in {readme}");
    }
    // All of the folder at once: what is no part of a recording is named, and fails nothing.
    let from = format!("file://{}", folder.display());
    world.run(&["verify", "--from", &from]).expect(0, &["1 complete", "not part of any recording: README.txt"]);
}

#[test]
fn any_changed_byte_is_found() {
    let (world, session) = recorded(2, None);
    world.run(&["export", "latest", "--as", "evidence", "-o", "case"]).expect(0, &[]);
    let folder = world.root.join("case");
    for (name, path) in files(&folder) {
        let good = fs::read(&path).unwrap();
        let signed = name.contains('/');
        for at in [0, good.len() / 3, good.len() / 2, good.len() - 2] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert!(!manifest(&folder), "byte {at} of {name}");
            if signed {
                let said = verify(&world, &folder, &session, &["--strict"]);
                assert_eq!(said.code, 1, "byte {at} of {name}: {said:#?}");
            }
        }
        fs::write(&path, &good).unwrap();
    }
    assert!(manifest(&folder));
    verify(&world, &folder, &session, &["--strict"]).expect(0, &["complete"]);
}

#[test]
fn less_than_complete_is_marked() {
    let world = World::new();
    let mut host = Host::new("web1");
    let mut plan = host.plan(&world, 2);
    plan.closed = false;
    let session = host.record(&plan);
    session.save(&world);
    host.boot = boot(2);
    host.checkpoint(&[]);
    host.save(&world);
    let said = world.run(&["export", "latest", "--as", "evidence", "-o", "case"]);
    said.expect(0, &["interrupted"]);
    let folder = world.root.join("case");
    let readme = fs::read_to_string(folder.join("README.txt")).unwrap();
    assert!(readme.contains("THIS RECORDING IS NOT COMPLETE") && readme.contains("interrupted"), "{readme}");
    assert!(fs::read_to_string(folder.join("verify.json")).unwrap().contains("\"verdict\":\"interrupted\""));
    verify(&world, &folder, &session, &[]).expect(1, &["interrupted"]);
}

#[test]
fn other_sessions_of_the_host_stay_where_they_are() {
    let world = World::new();
    let mut host = Host::new("web1");
    let sessions = [host.session(&world, 1), host.session(&world, 1)];
    sessions.iter().for_each(|session| session.save(&world));
    host.save(&world);
    let id = sessions[0].id.to_string();
    world.run(&["export", &id, "--as", "evidence", "-o", "case"]).expect(0, &[]);
    let folder = world.root.join("case");
    let names: Vec<String> = files(&folder).into_keys().collect();
    assert!(names.contains(&sessions[0].name(0)) && !names.contains(&sessions[1].name(0)), "{names:?}");
    verify(&world, &folder, &sessions[0], &["--strict"]).expect(0, &["complete"]);
}

#[test]
fn without_a_chain_the_folder_says_that_nothing_witnesses_it() {
    let world = World::new();
    let session = Host::new("web1").session(&world, 1);
    session.save(&world);
    world.run(&["export", "latest", "--as", "evidence", "-o", "case"]).expect(0, &["not witnessed"]);
    let folder = world.root.join("case");
    let readme = fs::read_to_string(folder.join("README.txt")).unwrap();
    for words in ["nothing witnesses this session", "THIS RECORDING IS NOT COMPLETE", "0 object(s)"] {
        assert!(readme.contains(words), "{words} in {readme}");
    }
    verify(&world, &folder, &session, &[]).expect(1, &["not witnessed"]);
}

#[test]
fn a_folder_is_new_and_needs_a_name() {
    let (world, _) = recorded(2, None);
    world.run(&["export", "latest", "--as", "evidence"]).expect(2, &["-o FOLDER"]);
    fs::create_dir(world.root.join("case")).unwrap();
    world
        .run(&["export", "latest", "--as", "evidence", "-o", "case"])
        .expect(2, &["exists already", "never overwrite"]);
    assert_eq!(fs::read_dir(world.root.join("case")).unwrap().count(), 0);
}

#[test]
fn what_is_refused_half_way_leaves_no_manifest() {
    let (world, _) = recorded(3, Some(1));
    let said = world.run(&["export", "latest", "--as", "evidence", "-o", "case"]);
    said.expect(1, &["segment 1", "footer", "is not finished", "no manifest"]);
    assert!(!world.root.join("case/MANIFEST.sha256").exists());
    world.run(&["export", "latest", "--as", "evidence", "-o", "forced", "--force"]).expect(0, &["segment 1"]);
    let readme = fs::read_to_string(world.root.join("forced/README.txt")).unwrap();
    assert!(readme.contains("NOTE WELL") && readme.contains("segment 1"), "{readme}");
}
