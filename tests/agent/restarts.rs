//! Agents that are killed, again and again, under sessions that run: no byte that was shown is lost, and none doubled.

use hansard_tests::call::code;
use hansard_tests::{SOON, process};

use crate::scene::{GUEST, Scene, limited};

const SESSIONS: usize = 6;
const KILLS: usize = 8;

#[test]
fn an_agent_that_is_killed_loses_and_doubles_nothing() {
    let mut scene = Scene::new();
    let command = |n: usize| format!("for i in $(seq 1 400); do echo session {n} line $i; sleep 0.01; done; exit 5");
    let outputs: Vec<_> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..SESSIONS).map(|n| limited(scene.ssh::<&str>(GUEST, []).arg(command(n)))).collect();
        let threads: Vec<_> = calls.into_iter().map(|call| scope.spawn(move || call.output())).collect();
        hansard_tests::wait_until("all sessions run", SOON, || {
            (scene.log().matches("session started").count() >= SESSIONS).then_some(())
        });
        for kill in 0..KILLS {
            scene.kill_agent();
            std::thread::sleep(std::time::Duration::from_millis(37 * kill as u64 % 300));
            scene.start_agent();
            std::thread::sleep(std::time::Duration::from_millis(53 * kill as u64 % 400));
        }
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut shown: Vec<Vec<u8>> = outputs.iter().map(|output| output.stdout.clone()).collect();
    for (n, output) in outputs.iter().enumerate() {
        assert_eq!(code(output), 5, "{}", String::from_utf8_lossy(&output.stderr));
        let expected: String = (1..=400).map(|i| format!("session {n} line {i}\n")).collect();
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "each line once, in order");
    }
    let ids = scene.delivered(SESSIONS);
    let mut recorded: Vec<Vec<u8>> = ids.iter().map(|id| scene.home.raw(id)).collect();
    shown.sort();
    recorded.sort();
    assert!(shown == recorded, "what was shown is what was recorded");
    // It says that it was interrupted, and is otherwise what it claims to be.
    let verified = scene.home.verify::<&str>([]);
    assert_eq!(verified.code, 0, "recovered, and nothing altered");
}

#[test]
fn a_tee_that_is_stopped_is_hung_up() {
    let scene = Scene::new();
    let mut terminal = hansard_tests::terminal::Terminal::running(&scene.ssh::<&str>(GUEST, []));
    terminal.type_in("echo $((20 + 3))\r");
    terminal.wait_text("23\r\n");
    for tee in scene.tees() {
        process::send(tee, rustix::process::Signal::STOP);
    }
    terminal.status(std::time::Duration::from_secs(20));
    assert!(scene.log().contains("session stalled"), "{}", scene.log());
    let session = scene.session();
    assert_eq!(session.at("/outcome"), "recorder-failed");
}
