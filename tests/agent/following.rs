//! A reviewer at the host itself: what runs is followed from the agent's spool, and the agent does not notice.

use hansard_tests::SOON;
use hansard_tests::lines::Lines;

use crate::scene::{GUEST, Scene, fine};

#[test]
fn a_session_is_followed_from_the_spool_while_its_store_is_away() {
    let scene = Scene::new();
    let mount = |script: &str| {
        let script = format!("{script} {}", scene.home.store().display());
        fine(&scene.inside("/bin/sh").args(["-c", &script]).output());
    };
    std::fs::create_dir_all(scene.home.store()).expect("a folder");
    mount("mount -t tmpfs -o ro none");
    let mut terminal = scene.login();
    terminal.type_in("echo first-$((10 + 1))\n");
    terminal.wait_text("first-11\r\n");
    let from = format!("spool://{}", scene.home.spool().display());
    let mut tail = Lines::start(&scene.home.replay(["tail", "--lines", "--from", &from]));
    tail.expect("first-11", SOON);
    terminal.type_in("echo second-$((20 + 3))\n");
    tail.expect("second-23", SOON);
    assert!(scene.home.segments().is_empty(), "nothing was to be shipped");
    let listed = fine(&scene.home.replay(["ls", "--running", "--from", &from]).output());
    assert!(listed.contains(GUEST) && listed.contains("running"), "{listed}");

    // It goes on when what was followed is delivered and removed.
    mount("umount");
    hansard_tests::wait_until("the store takes", hansard_tests::LONG, || {
        (!scene.home.segments().is_empty()).then_some(())
    });
    terminal.type_in("echo third-$((30 + 3))\n");
    tail.expect("third-33", SOON);
    terminal.type_in("exit 3\n");
    assert_eq!(terminal.status(SOON), 3);
    let (seen, status, said) = tail.end();
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("the session has ended"), "{said}");
    for word in ["first-11", "second-23", "third-33"] {
        let times = seen.iter().filter(|line| **line == word).count();
        assert_eq!(times, 1, "{word}: {seen:#?}\n{said}");
    }
    // Complete, and the spool is empty: nothing was held or touched.
    scene.session();
}
