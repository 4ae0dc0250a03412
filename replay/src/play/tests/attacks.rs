//! What a hostile recording is made of, from a fixed seed: each attack with other parameters every time.
//!
//! For the player's own test and for the one of the whole program (`tests/suite/hostile.rs`). Not for what may be written.

/// Splitmix64: the same numbers on every machine.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
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
pub fn attack(numbers: &mut Numbers) -> Vec<u8> {
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
