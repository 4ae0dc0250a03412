//! Two hundred hostile recordings, made from a fixed seed, played at several positions: only painting is written.

use super::*;

const RECORDINGS: u64 = 200;
const SEED: u64 = 0x5eed_0133;

/// Splitmix64: the same numbers on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn word(&mut self, letters: &str, most: usize) -> String {
        let letters: Vec<char> = letters.chars().collect();
        (0..=self.below(most)).map(|_| letters[self.below(letters.len())]).collect()
    }
}

const BASE64: &str = "ABCDEFabcdef0123456789+/=";
const TEXT: &str = "abc XYZ/._-;:";
/// How a string sequence is ended, or is not.
const ENDS: [&str; 6] = ["\x07", "\x1b\\", "\u{9c}", "", "\x18", "\x1b["];

/// Kinds of attacks; each is made anew with other parameters every time.
fn attack(numbers: &mut Numbers) -> Vec<u8> {
    let end = ENDS[numbers.below(ENDS.len())];
    let (osc, csi, dcs) = match numbers.below(4) {
        // The C1 forms, which some terminals take as well.
        0 => ("\u{9d}", "\u{9b}", "\u{90}"),
        _ => ("\x1b]", "\x1b[", "\x1bP"),
    };
    let n = numbers.below(70_000);
    let text = numbers.word(TEXT, 30);
    let made = match numbers.below(30) {
        0 => format!("{osc}52;{};{}{end}", numbers.word("cpqs01234567", 3), numbers.word(BASE64, 200)),
        1 => format!("{osc}52;c;?{end}"),
        2 => format!("{osc}{};{text}{end}{csi}21t", numbers.below(3)),
        3 => format!("{csi}{}t", [11, 13, 14, 15, 16, 18, 19, 20, 21][numbers.below(9)]),
        4 => format!("{dcs}$q{}{end}", ["m", "r", "s", "\"p", "\"q", " q"][numbers.below(6)]),
        5 => format!("{csi}{}c", ["", "0", ">", ">0", "=", "?1;2"][numbers.below(6)]),
        6 => format!("{csi}{}n", ["5", "6", "?6", "?15", "?25", "?26"][numbers.below(6)]),
        7 => format!(
            "{osc}1337;File=name={};inline=1;size={n}:{}{end}",
            numbers.word(BASE64, 20),
            numbers.word(BASE64, 300)
        ),
        8 => format!("**\x18B00000000000000\r\u{8a}\x11{}", numbers.word("0123456789abcdef", 40)),
        9 => format!("\x1b_G a=t,t=f,f=24;{}{end}", numbers.word(BASE64, 100)),
        10 => format!(
            "{osc}8;id={n};{}://{text}{end}click{osc}8;;{end}",
            ["http", "file", "ssh", "x-man-page"][numbers.below(4)]
        ),
        11 => format!(
            "{dcs}{};{};{}q\"1;1;{n};{n}#0;2;100;0;0{}{end}",
            numbers.below(9),
            numbers.below(3),
            numbers.below(9),
            numbers.word("!?@~$-0123456789#", 300)
        ),
        12 => format!("{osc}{}", numbers.word(TEXT, 20_000)),
        13 => format!("{csi}{}", numbers.word("0123456789;:<=>?", 20_000)),
        14 => format!("{dcs}{}", numbers.word(BASE64, 20_000)),
        15 => numbers.word(
            "\u{202a}\u{202b}\u{202d}\u{202e}\u{202c}\u{2066}\u{2067}\u{2068}\u{2069}\u{200e}\u{200f}\u{61c}ab",
            60,
        ),
        16 => numbers.word("\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{fe0f}\u{ad}\u{34f}\u{180e}x\u{1f468}", 60),
        17 => format!("a{}", numbers.word("\u{300}\u{301}\u{323}\u{489}\u{20dd}\u{e0100}", 2_000)),
        18 => numbers.word("\u{e0001}\u{e0041}\u{e007f}\u{f0000}\u{10ffff}\u{38000}\u{100000}\u{ffff}", 50),
        19 => format!("{csi}{n};{n}H{csi}{n}@{csi}{n}L{csi}{n}P{csi}{n}M{csi}{n}X{csi}{n}b"),
        20 => format!(
            "{csi}?{}{}",
            [1, 3, 5, 6, 7, 9, 25, 47, 1000, 1002, 1003, 1004, 1006, 1047, 1048, 1049, 2004, 2026][numbers.below(18)],
            ["h", "l", "$p", "s", "r"][numbers.below(5)]
        ),
        21 => format!("{csi}8;{};{n}t{csi}3;{n};{n}t", numbers.below(70_000)),
        22 => format!(
            "\x1b{}",
            ["c", "#8", "%G", "%@", "N", "O", "Z", "6", "9", "=", ">", "|", "}", "~", " F", " G"][numbers.below(16)]
        ),
        23 => format!(
            "{osc}{};rgb:ff/ff/ff{end}{osc}4;{};?{end}{osc}10;?{end}",
            10 + numbers.below(10),
            numbers.below(300)
        ),
        24 => format!("{osc}777;notify;{text};{text}{end}{osc}9;{text}{end}{osc}99;i=1;{text}{end}"),
        25 => format!("{osc}7;file://host/{text}{end}{osc}133;D;{n}{end}{osc}633;E;{text}{end}"),
        26 => format!("{csi}{n};{n}r{csi}{n}S{csi}{n}T\x1bM\x1bD\x1bE"),
        27 => format!("{csi}5i{text}{csi}4i{csi}?5i{dcs}+q{}{end}", numbers.word("0123456789abcdef", 30)),
        28 => "\x05\x0e\x0f\x11\x13\x07\x7f\x00\u{84}\u{85}\u{8d}\u{98}x\u{9e}y\u{9f}z".into(),
        _ => return (0..=numbers.below(400)).map(|_| numbers.next() as u8).collect(),
    };
    made.into_bytes()
}

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
