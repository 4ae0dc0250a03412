//! What a line must have for a pattern to match it, in pieces of three bytes.
//!
//! By this a recording whose pieces are known (`sieve`) is left out of a search. It is found out from the expression by
//! rules that only ever ask for too little: of what a rule does not know, nothing is asked. That no line that matches is
//! ever left out is tested by a property. Not for matching.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::sieve::{Piece, Sieve, pieces};

/// Ranges of a class that are looked at to see whether it stands for one letter in both cases.
const RANGES: usize = 2;

/// What a text must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// All of these pieces.
    Pieces(Vec<Piece>),
    /// All that these need; of none, nothing.
    All(Vec<Needs>),
    /// What one of these needs.
    One(Vec<Needs>),
}

impl Needs {
    /// Of an expression as the `regex` crate reads it. One that it does not take needs nothing.
    pub fn of(expression: &str, ignore_case: bool) -> Self {
        let mut parser = regex_syntax::ParserBuilder::new().case_insensitive(ignore_case).build();
        parser.parse(expression).map_or(Self::All(Vec::new()), |hir| Self::of_hir(&hir))
    }

    /// Whether a recording may have a line with all of it.
    pub fn may_be_in(&self, sieve: &Sieve) -> bool {
        sieve.any(|has| self.are_met(has))
    }

    fn are_met(&self, has: &dyn Fn(Piece) -> bool) -> bool {
        match self {
            Self::Pieces(pieces) => pieces.iter().all(|piece| has(*piece)),
            Self::All(needs) => needs.iter().all(|needs| needs.are_met(has)),
            Self::One(needs) => needs.iter().any(|needs| needs.are_met(has)),
        }
    }

    fn of_hir(hir: &Hir) -> Self {
        let mut run = Run::default();
        run.push(hir);
        run.end();
        Self::All(run.needs)
    }
}

/// Bytes that follow each other in every text that matches, and what is needed beside them.
#[derive(Default)]
struct Run {
    bytes: Vec<u8>,
    needs: Vec<Needs>,
}

impl Run {
    fn push(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Literal(literal) => self.bytes.extend_from_slice(&literal.0),
            HirKind::Class(class) => match letter(class) {
                Some(letter) => self.bytes.push(letter),
                None => self.end(),
            },
            HirKind::Capture(capture) => self.push(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.push(part)),
            // They take no room.
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Repetition(repetition) => {
                self.end();
                if repetition.min > 0 {
                    self.needs.push(Needs::of_hir(&repetition.sub));
                }
            }
            HirKind::Alternation(parts) => {
                self.end();
                self.needs.push(Needs::One(parts.iter().map(Needs::of_hir).collect()));
            }
        }
    }

    /// What comes next need not follow at once.
    fn end(&mut self) {
        let pieces: Vec<Piece> = pieces(&std::mem::take(&mut self.bytes)).collect();
        if !pieces.is_empty() {
            self.needs.push(Needs::Pieces(pieces));
        }
    }
}

/// The letter, in lower case, that is all that a class takes.
fn letter(class: &Class) -> Option<u8> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => {
            class.iter().take(RANGES + 1).map(|range| (range.start().into(), range.end().into())).collect()
        }
        Class::Bytes(class) => {
            class.iter().take(RANGES + 1).map(|range| (range.start().into(), range.end().into())).collect()
        }
    };
    let mut letters = ranges.iter().map(|(start, end)| {
        let byte = u8::try_from(*start).ok().filter(|byte| start == end && byte.is_ascii())?;
        Some(byte.to_ascii_lowercase())
    });
    let first = letters.next()??;
    (ranges.len() <= RANGES && letters.all(|letter| letter == Some(first))).then_some(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::RegexBuilder;

    use super::super::sieve::Making;
    use super::*;

    fn sieve(lines: &[String]) -> Sieve {
        let mut making = Making::default();
        lines.iter().for_each(|line| making.add(format!("{line}\n").as_bytes()));
        making.end()
    }

    fn may_be(pattern: &str, line: &str) -> bool {
        Needs::of(pattern, false).may_be_in(&sieve(&[line.to_owned()]))
    }

    #[test]
    fn what_a_line_lacks_leaves_it_out() {
        for (pattern, line) in [
            ("needle", "nothing of it"),
            ("(?i)NEEDLE", "needl"),
            ("error.*refused", "error: timeout"),
            ("error.*refused", "refused"),
            ("(foo|bar)baz quux", "foobaz"),
            ("abc|def", "nothing"),
            ("(abc)+", "ab"),
            ("^BEGIN .* PRIVATE KEY", "BEGIN CERTIFICATE"),
            (r"\brm -rf\b", "rm -r f"),
            ("x(?i:perm)y", "xparmy"),
        ] {
            assert!(!may_be(pattern, line), "{pattern}: {line}");
        }
    }

    #[test]
    fn what_needs_nothing_or_is_none_leaves_nothing_out() {
        for pattern in
            ["", ".*", "[0-9]{3}", "ab", "(abc)?", "(abc){0,3}", "abc|", "abc|x", "a(", r"\p{Greek}{5}", "k+"]
        {
            assert!(may_be(pattern, "nothing of it"), "{pattern}");
        }
        // Two letters of which the one is not ASCII are one to the pattern, and not to the sieve.
        assert!(may_be("(?i)kelvin", "\u{212a}elvin") && may_be("(?i)sieve", "\u{17f}ieve"));
        assert!(may_be("(?i)ÄÖÜ", "äöü") && may_be("ÄÖÜ", "xÄÖÜx"));
    }

    /// Patterns of parts that match something in the lines, or nearly.
    fn pattern() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            4 => "[abcAB k]{1,5}",
            1 => Just("é".to_owned()),
            1 => proptest::sample::select(vec![".", "[ab]", "[Aa]", "\\w+", "^", "$", "\\b", " *", "(?i)", "(?-u:a)", "\\s"])
                .prop_map(str::to_owned),
        ];
        part.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                3 => proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                1 => proptest::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join("|"))),
                1 => (inner, proptest::sample::select(vec!["?", "*", "+", "{2}", "{0,2}", "+?"]))
                    .prop_map(|(part, times)| format!("(?:{part}){times}")),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn no_line_that_matches_is_left_out(
            pattern in pattern(),
            ignore_case in any::<bool>(),
            lines in proptest::collection::vec("[abcABkKé ſ\u{212a}]{0,14}", 0..12),
        ) {
            let Ok(regex) = RegexBuilder::new(&pattern).case_insensitive(ignore_case).build() else { return Ok(()) };
            let matches = lines.iter().any(|line| regex.is_match(line));
            let may_be = Needs::of(&pattern, ignore_case).may_be_in(&sieve(&lines));
            prop_assert!(may_be || !matches, "{pattern:?} in {lines:?}");
        }
    }
}
