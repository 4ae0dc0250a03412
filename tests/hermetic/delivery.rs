//! The journal is the queue: what a store could not take waits in the spool, and what it has is released from there.

use hansard_tests::call::{code, said};
use hansard_tests::home::Home;
use hansard_tests::process;

/// Segments that wait in the spool.
fn waiting(home: &Home) -> usize {
    let files = process::files_below(&home.spool().join("sessions"));
    files.iter().filter(|file| file.extension().is_some_and(|e| e == "hseg" || e == "journal")).count()
}

#[test]
fn promise_5_what_every_store_has_is_released() {
    let home = Home::new();
    home.record_sh("echo words").ok();
    home.assert_complete();
    assert_eq!(waiting(&home), 0, "{:?}", process::files_below(&home.spool()));
}

#[test]
fn promise_5_a_store_that_was_away_gets_everything() {
    let home = Home::new();
    home.configure("[ship]\nfinal_wait = \"100ms\"\n");
    // A file where the store's folder should be: nothing can be put there, by nobody.
    let store = home.store();
    std::fs::create_dir_all(store.parent().expect("a folder")).expect("the folder above the store");
    std::fs::write(&store, b"").expect("a file in the store's place");
    let shown = home.record_sh("echo one; echo two").ok();
    assert_eq!(shown, b"one\ntwo\n");
    assert!(waiting(&home) > 0, "nothing waits");
    assert_ne!(code(&home.recorder(["ship"]).output()), 0, "a store that is away is not a success");
    assert!(waiting(&home) > 0, "what was not delivered is gone");

    std::fs::remove_file(&store).expect("the store comes back");
    let shipped = home.recorder(["ship"]).output();
    assert_eq!(code(&shipped), 0, "{}", said(&shipped));
    home.assert_complete();
    assert_eq!(home.raw("latest"), shown);
    assert_eq!(waiting(&home), 0, "{:?}", process::files_below(&home.spool()));
}
