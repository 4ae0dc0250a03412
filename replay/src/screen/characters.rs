//! Which characters a reviewer's terminal may be given, and characters with marks as single cells.
//!
//! The emulator has one `char` a cell, so a base with combining marks is interned and stands in its cell as one
//! private character. Nothing here knows escape sequences: control characters never come this far, and are refused
//! all the same.

use std::collections::HashMap;

use unicode_width::UnicodeWidthChar;

/// What stands for a character that is not shown as itself.
pub const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// First private character that stands for a cluster of one column (plane 16, private use).
const NARROW: u32 = 0x10_0000;
/// First private character that stands for a cluster of two columns: unassigned in plane 3, where width is 2.
const WIDE: u32 = 0x3_8000;
/// Clusters of each width that are kept; more lose their marks. Real sessions have some hundreds.
const CLUSTERS: u32 = 0x7FF0;
/// Marks on one base. Real writing has up to four; a hostile recording stacks hundreds over the lines above.
const MARKS: usize = 4;

/// What to do with a character that a recording prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It is shown as it is.
    Plain,
    /// It belongs to the character before it.
    Mark,
    /// It has no shape and no effect that matters: joiners, variation selectors, deletes.
    Drop,
    /// It would act on text around it, or means nothing: the replacement character is shown.
    Replace,
}

/// Sorts a character. Whatever is not [`Class::Plain`] or [`Class::Mark`] never leaves this crate as it is.
pub fn classify(ch: char) -> Class {
    match ch {
        ' '..='~' => Class::Plain,
        '\u{7f}' => Class::Drop,
        '\0'..='\u{1f}' | '\u{80}'..='\u{9f}' => Class::Replace,
        // Joiners, invisible operators, byte order mark, selectors of a variant: no columns of their own.
        '\u{34f}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2064}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{e0100}'..='\u{e01ef}' => Class::Drop,
        // Bidirectional controls, line and paragraph separators, deprecated and annotation controls, tags.
        '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2065}'..='\u{206f}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => Class::Replace,
        // Other format characters (category Cf), which span or rule the text after them.
        '\u{ad}'
        | '\u{600}'..='\u{605}'
        | '\u{6dd}'
        | '\u{70f}'
        | '\u{890}'
        | '\u{891}'
        | '\u{8e2}'
        | '\u{110bd}'
        | '\u{110cd}'
        | '\u{13430}'..='\u{1345f}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' => Class::Replace,
        // Private planes (ours stand for clusters) and noncharacters.
        '\u{f0000}'.. | '\u{38000}'..='\u{3ffff}' | '\u{fdd0}'..='\u{fdef}' => Class::Replace,
        _ if u32::from(ch) & 0xFFFE == 0xFFFE => Class::Replace,
        _ => match ch.width() {
            None => Class::Replace,
            Some(0) => Class::Mark,
            Some(_) => Class::Plain,
        },
    }
}

/// Whether a character may be written to a reviewer's terminal on its own.
pub fn is_shown(ch: char) -> bool {
    classify(ch) == Class::Plain
}

/// Bases with marks, and the private characters that stand for them.
#[derive(Debug, Default)]
pub struct Clusters {
    codes: HashMap<String, char>,
    narrow: Vec<String>,
    wide: Vec<String>,
}

impl Clusters {
    /// The character that stands for `base` (a character or a cluster) with one more mark.
    pub fn join(&mut self, base: char, mark: char) -> char {
        let mut text = String::new();
        self.spell(base, &mut text);
        if text.chars().count() > MARKS || base == REPLACEMENT {
            return base;
        }
        let wide = text.chars().next().and_then(UnicodeWidthChar::width) == Some(2);
        text.push(mark);
        if let Some(code) = self.codes.get(&text) {
            return *code;
        }
        let (list, first) = if wide { (&mut self.wide, WIDE) } else { (&mut self.narrow, NARROW) };
        let code = u32::try_from(list.len()).ok().filter(|n| *n < CLUSTERS).and_then(|n| char::from_u32(first + n));
        let Some(code) = code else { return base };
        list.push(text.clone());
        self.codes.insert(text, code);
        code
    }

    /// The character that stands for a cluster that another list of clusters had.
    pub fn intern(&mut self, text: &str) -> char {
        let mut chars = text.chars();
        let base = chars.next().filter(|base| is_shown(*base)).unwrap_or(REPLACEMENT);
        let marks = chars.filter(|mark| classify(*mark) == Class::Mark).collect::<Vec<_>>();
        marks.into_iter().fold(base, |base, mark| self.join(base, mark))
    }

    /// The cluster that a private character stands for.
    pub fn text(&self, ch: char) -> Option<&str> {
        let code = u32::from(ch);
        match code {
            NARROW.. => self.narrow.get((code - NARROW) as usize).map(String::as_str),
            WIDE..=0x3_FFFF => self.wide.get((code - WIDE) as usize).map(String::as_str),
            _ => None,
        }
    }

    /// Appends what a character stands for, if it may be shown.
    pub fn spell(&self, ch: char, out: &mut String) {
        match self.text(ch) {
            Some(text) => out.push_str(text),
            None if is_shown(ch) => out.push(ch),
            None => out.push(REPLACEMENT),
        }
    }
}
