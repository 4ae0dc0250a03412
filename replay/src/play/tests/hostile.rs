//! Two hundred hostile recordings, made from a fixed seed, played at several positions: only painting is written.

use super::attacks::{Numbers, attack};
use super::*;

const RECORDINGS: u64 = 200;
const SEED: u64 = 0x5eed_0133;

fn recording(number: u64) -> Vec<Vec<Event>> {
    let mut numbers = Numbers(SEED ^ (number << 32));
    let mut at_ms = 0;
    (0..3)
        .map(|_| {
            (0..24)
                .map(|_| {
                    at_ms += numbers.below(3_000) as u64;
                    let raw = attack(&mut numbers);
                    match numbers.below(14) {
                        0 => {
                            let sizes = ["132x43", "1x1", "0x0", "300x5", "10000x24", "80x10000", "65535x65535"];
                            // A huge screen costs seconds in a build that is not optimised: one recording in twenty has them.
                            let most = if number.is_multiple_of(20) { sizes.len() } else { 4 };
                            say(at_ms, Code::Resize, sizes[numbers.below(most)])
                        }
                        1 => say(at_ms, Code::Marker, &String::from_utf8_lossy(&raw)),
                        2 => {
                            let note = String::from_utf8_lossy(&raw);
                            let gap = serde_json::json!({"what": "output", "why": note, "bytes": numbers.next(), "note": note});
                            say(at_ms, Code::Gap, &gap.to_string())
                        }
                        3 => Event { time_ms: at_ms, code: Code::Error, data: EventData::Bytes(raw) },
                        4 => {
                            // Cut in the middle: the rest comes with what is next.
                            let cut = numbers.below(raw.len() + 1);
                            out(at_ms, &raw[..cut])
                        }
                        _ => out(at_ms, raw),
                    }
                })
                .collect()
        })
        .collect()
}

#[test]
fn promise_9_two_hundred_hostile_recordings_only_paint() {
    let mut written = 0;
    for number in 0..RECORDINGS {
        let segments = recording(number);
        let mut numbers = Numbers(number);
        let settings = Settings {
            verdict: Some("altered \x1b]0;x\x07\u{202e}".into()),
            who: Some("eve\x1b[2J@\u{9b}31m".into()),
            started_ms: Some(1_795_902_840_000),
            ..Settings::default()
        };
        let source = tape(segments);
        let end_ms = source.end_ms();
        let mut player = Player::new(source, Size { cols: 80, rows: 24 }, LineFeed::Terminal, &settings, ms(0));
        let window = Window { cols: 1 + numbers.below(100), rows: 1 + numbers.below(30) };
        let mut painter = Painter::new(window, !number.is_multiple_of(3));
        player.key(Key::Pause, ms(0));
        let mut keys: Vec<Key> =
            (0..6).map(|_| Key::Seek((numbers.next() % (end_ms / 1000 + 1)) as i64 - 20)).collect();
        keys.extend([Key::End, Key::StepBack, Key::PreviousMarker, Key::NextBurst, Key::Home, Key::NextCommand]);
        keys.extend([Key::Find, Key::Char('a'), Key::Enter, Key::FindPrevious, Key::Help, Key::Help]);
        for key in keys {
            player.key(key, ms(0));
            settle(&mut player, ms(0));
            // Checks every byte against the list of what may be written.
            written += paint(&mut player, &mut painter, ms(0)).len();
            painter.reset(window);
            written += paint(&mut player, &mut painter, ms(0)).len();
        }
    }
    assert!(written > 1 << 20, "{written} bytes were painted");
}
