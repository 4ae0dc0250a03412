//! Section 3.1: bytes, their text, and back.

use hansard_schemas::Outcome;
use hansard_schemas::exact::{Decoder, Splitter, join, split};
use proptest::prelude::*;

use crate::samples;

/// The examples of Unicode 16, tables 3-8 to 3-11, and what each U+FFFD stands for.
#[test]
fn exact_1_each_maximal_subpart_is_one_group() {
    for (raw, text, groups) in [
        (&b"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82A"[..], "????????A", "c0 af e0 80 bf f0 81 82"),
        (b"\xed\xa0\x80\xed\xbf\xbf\xed\xafA", "????????A", "ed a0 80 ed bf bf ed af"),
        (b"\xf4\x91\x92\x93\xffA\x80\xbfB", "?????A??B", "f4 91 92 93 ff 80 bf"),
        (b"\xe1\x80\xe2\xf0\x91\x92\xf1\xbfA", "????A", "e180 e2 f09192 f1bf"),
        (b"a\xef\xbf\xbdb\xffc\xef\xbf\xbd", "a?b?c?", "efbfbd ff efbfbd"),
    ] {
        let expected = text.replace('?', "\u{fffd}");
        let (text, found) = split(raw);
        assert_eq!(text, expected);
        assert_eq!(found.as_deref(), Some(groups));
        assert_eq!(join(&text, groups).expect("joins"), raw);
    }
}

#[test]
fn exact_1_valid_bytes_need_no_groups_even_with_a_genuine_replacement_character() {
    for text in ["", "plain", "a\u{fffd}b", "\0\u{7f}\u{10ffff}"] {
        assert_eq!(split(text.as_bytes()), (text.into(), None));
    }
}

#[test]
fn exact_2_all_256_bytes_come_back() {
    let raw: Vec<u8> = (0..=255).collect();
    let (text, groups) = split(&raw);
    assert_eq!(join(&text, &groups.expect("groups")).expect("joins"), raw);
}

#[test]
fn exact_3_what_no_writer_makes_is_a_bad_line() {
    for (text, groups, why) in [
        ("\u{fffd}", "", "empty"),
        ("\u{fffd}", "ff fe", "too many"),
        ("\u{fffd}\u{fffd}", "ff", "too few"),
        ("a", "ff", "none to stand for"),
        ("a", "", "none to stand for"),
        ("\u{fffd}", "FF", "upper case"),
        ("\u{fffd}", "f", "odd"),
        ("\u{fffd}", "fff", "odd"),
        ("\u{fffd}", "f0908080", "four bytes"),
        ("\u{fffd}", "gg", "not hex"),
        ("\u{fffd}\u{fffd}", "ff  fe", "two spaces"),
        ("\u{fffd}", " ff", "a space before"),
        ("\u{fffd}", "ff ", "a space after"),
        ("\u{fffd}", "41", "a letter in disguise"),
        ("\u{fffd}", "efbfbd", "only genuine ones: a line that is not needed"),
        ("\u{fffd}", "feff", "two subparts as one"),
        ("\u{fffd}\u{fffd}", "e2 82", "one subpart as two"),
        ("\u{fffd}é", "c3a9", "a character as a subpart"),
    ] {
        let error = join(text, groups).expect_err(why);
        assert_eq!(error.outcome(), Outcome::BadLine, "{why}");
    }
}

#[test]
fn exact_4_an_unfinished_character_waits_for_its_end() {
    let mut splitter = Splitter::new();
    assert_eq!(&*splitter.push(b"a\xf0\x9f"), b"a");
    assert_eq!(splitter.pending(), b"\xf0\x9f");
    assert_eq!(&*splitter.push(b"\x98"), b"");
    assert_eq!(&*splitter.push(b""), b"");
    assert_eq!(&*splitter.push(b"\x80b\xe2"), "\u{1f600}b".as_bytes());
    assert_eq!(splitter.take(), b"\xe2");
    assert_eq!(splitter.pending(), b"");
    // What cannot become a character does not wait.
    assert_eq!(&*splitter.push(b"\xc0"), b"\xc0");
    assert_eq!(&*splitter.push(b"\xed\xa0"), b"\xed\xa0");
    assert_eq!(&*splitter.push(b"\xf0\x9f\x98\x80"), "\u{1f600}".as_bytes());
}

proptest! {
    #[test]
    fn exact_2_any_bytes_come_back(raw in samples::bytes()) {
        match split(&raw) {
            (text, None) => prop_assert_eq!(text.as_bytes(), &raw[..]),
            (text, Some(groups)) => {
                prop_assert_eq!(text.matches('\u{fffd}').count(), groups.split(' ').count());
                prop_assert_eq!(join(&text, &groups)?, raw);
            }
        }
    }

    #[test]
    fn exact_3_any_text_and_groups_join_only_to_what_splits_into_them(
        text in "[a\u{fffd}é]{0,4}", groups in "([0-9a-f]{2,6} ?){0,4}",
    ) {
        if let Ok(raw) = join(&text, &groups) {
            prop_assert_eq!(split(&raw), (text.into(), Some(groups)));
        }
    }

    #[test]
    fn exact_4_any_cuts_keep_all_bytes_and_whole_characters(
        raw in samples::bytes(), text in "\\PC{0,30}", cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let mut splitter = Splitter::new();
        let mut kept = Vec::new();
        for piece in samples::pieces(&raw, &cuts) {
            kept.extend_from_slice(&splitter.push(piece));
            prop_assert!(splitter.pending().len() <= 3);
        }
        kept.extend(splitter.take());
        prop_assert_eq!(kept, raw);

        let mut splitter = Splitter::new();
        for piece in samples::pieces(text.as_bytes(), &cuts) {
            prop_assert!(std::str::from_utf8(&splitter.push(piece)).is_ok());
        }
        prop_assert_eq!(splitter.pending(), b"");
    }

    #[test]
    fn exact_4_a_decoder_does_not_see_the_cuts(
        raw in samples::bytes(), cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let mut decoder = Decoder::new();
        let mut text: String = samples::pieces(&raw, &cuts).into_iter().map(|piece| decoder.push(piece)).collect();
        text.push_str(&decoder.finish());
        prop_assert_eq!(text, String::from_utf8_lossy(&raw));
    }
}
