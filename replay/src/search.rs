//! What is looked for, and where it is in a line.
//!
//! A pattern is held against one line at a time, so that nothing in it can reach over a line's end. Where it is safe, a
//! whole block of lines is asked first, as one text, which is far quicker when most of them do not match. Not for where
//! lines come from: `screen::lines`.

use regex::{Regex, RegexBuilder};

mod needs;
pub mod session;
pub mod sieve;
pub(crate) mod typed;

use needs::Needs;
use sieve::Sieve;

/// Size of a compiled pattern, at most: patterns come from the reviewer, and should still not take all memory.
const SIZE_MAX: usize = 64 << 20;

/// A pattern, ready to search with.
#[derive(Debug, Clone)]
pub struct Pattern {
    line: Regex,
    /// Finds something in a block of lines wherever `line` finds something in one of them. `None` where that is not
    /// sure.
    block: Option<Regex>,
    needs: Needs,
}

impl Pattern {
    /// Of a regular expression, or of text to be found as it stands. The error is a sentence for the reviewer.
    pub fn new(text: &str, fixed: bool, ignore_case: bool) -> Result<Self, String> {
        let expression = if fixed { regex::escape(text) } else { text.to_owned() };
        let build = |multi_line: bool| {
            let mut builder = RegexBuilder::new(&expression);
            builder.case_insensitive(ignore_case).multi_line(multi_line).size_limit(SIZE_MAX).build()
        };
        let line = build(false).map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "it becomes too large".to_owned(),
            // The last line says what is wrong, those before it draw where.
            error => error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
        })?;
        // What is anchored to the ends of a text, or sets how anchors are read, means another thing in a block.
        let anchored = ["\\A", "\\z", "(?"].iter().any(|part| expression.replace("(?:", "(").contains(part));
        let block = (fixed || !anchored).then(|| build(true).ok()).flatten();
        Ok(Self { line, block, needs: Needs::of(&expression, ignore_case) })
    }

    /// Whether it may match a line of a recording of which this is the sieve. False is sure.
    pub fn may_be_in(&self, sieve: &Sieve) -> bool {
        self.needs.may_be_in(sieve)
    }

    /// Calls `found` with the number of each line of a block that matches; stops when it says false. Every line ends
    /// with a line feed, and `ends` says where.
    pub fn lines(&self, block: &str, ends: impl Fn(usize) -> Option<usize>, mut found: impl FnMut(usize) -> bool) {
        let (mut number, mut start) = (0, 0);
        while start < block.len() {
            if let Some(regex) = &self.block {
                let Some(at) = regex.find_at(block, start).map(|found| found.start()) else { return };
                // No line that ends before it can match.
                while ends(number).is_some_and(|end| end < at) {
                    start = ends(number).map_or(block.len(), |end| end + 1);
                    number += 1;
                }
            }
            let Some(end) = ends(number) else { return };
            if self.line.is_match(block.get(start..end).unwrap_or_default()) && !found(number) {
                return;
            }
            start = end + 1;
            number += 1;
        }
    }

    /// Whether a line matches.
    pub fn is_in(&self, line: &str) -> bool {
        self.line.is_match(line)
    }

    /// Where in a line it matches: ranges of bytes, in order, without empty ones.
    pub fn spans(&self, line: &str) -> Vec<(usize, usize)> {
        self.line.find_iter(line).map(|found| (found.start(), found.end())).filter(|(start, end)| start < end).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Pattern;

    fn found(pattern: &Pattern, lines: &[String]) -> Vec<usize> {
        let block: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let ends: Vec<usize> = block.match_indices('\n').map(|(at, _)| at).collect();
        let mut found = Vec::new();
        pattern.lines(
            &block,
            |number| ends.get(number).copied(),
            |number| {
                found.push(number);
                true
            },
        );
        found
    }

    #[test]
    fn wrong_patterns_are_told_in_a_sentence() {
        assert_eq!(Pattern::new("a(b", false, false).unwrap_err(), "unclosed group");
        assert!(Pattern::new("a(b", true, false).unwrap().is_in("xa(b"));
        assert!(Pattern::new("(((a{1000}){1000}){1000})", false, false).unwrap_err().contains("too large"));
        assert!(Pattern::new("straße", true, true).unwrap().is_in("STRAßE"));
        assert_eq!(Pattern::new("a+", false, false).unwrap().spans("aa b a"), [(0, 2), (5, 6)]);
    }

    proptest! {
        #[test]
        fn a_block_has_the_lines_that_match_one_by_one(
            lines in proptest::collection::vec("[ab é]{0,6}", 0..20),
            pattern in proptest::sample::select(vec![
                "a", "^a", "a$", "^$", "^", "$", "b*", "[^a]", "\\s", "\\s+a", "(?s).", "\\Aa", "a\\z", "(?-m)^b", "(?m)^b",
                "\\bb", "b\\b", "a.b", "\\W", "(?:a|é)b", "[^b]+$", "(?i)A", "", "\\B", "a\\s*b", ".*", "\\n",
            ]),
        ) {
            let pattern = Pattern::new(pattern, false, false).unwrap();
            let expected: Vec<usize> =
                lines.iter().enumerate().filter(|(_, line)| pattern.is_in(line)).map(|(number, _)| number).collect();
            prop_assert_eq!(found(&pattern, &lines), expected);
        }
    }
}
