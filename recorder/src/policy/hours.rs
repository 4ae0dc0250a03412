//! When a session begins, as the clock on the wall says: hours of the day, days of the week.
//!
//! Not for time zones: the caller gives the local time. A day ends at midnight also where a range of hours goes on.

use chrono::{Datelike as _, NaiveDateTime, Timelike as _};

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTES: u16 = 24 * 60;

/// A range of a day, from a minute up to the one before another; it may go past midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hours {
    from: u16,
    to: u16,
}

impl Hours {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let read = || {
            let (from, to) = text.split_once('-')?;
            let (from, to) = (minute(from)?, minute(to)?);
            (from != to && from < MINUTES && to <= MINUTES).then_some(Self { from, to })
        };
        read().ok_or_else(|| format!("{text:?} is no range of hours: write one such as 08-18, 07:30-16 or 22-06"))
    }

    pub(super) fn holds(self, at: NaiveDateTime) -> bool {
        let minute = u16::try_from(at.hour() * 60 + at.minute()).unwrap_or(0);
        let (after, before) = (minute >= self.from, minute < self.to);
        if self.from < self.to { after && before } else { after || before }
    }
}

/// `08`, `8` or `08:30`, in minutes.
fn minute(text: &str) -> Option<u16> {
    let number = |text: &str, most: u16| {
        let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse().ok().filter(|value: &u16| digits && *value <= most)
    };
    let (hour, minute) = text.split_once(':').unwrap_or((text, "0"));
    Some(number(hour, 24)? * 60 + number(minute, 59)?)
}

/// Days from one to another, both among them; it may go past Sunday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days {
    from: usize,
    to: usize,
}

impl Days {
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let day = |text: &str| DAYS.iter().position(|day| *day == text);
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        match (day(from), day(to)) {
            (Some(from), Some(to)) => Ok(Self { from, to }),
            _ => Err(format!("{text:?} is no day: write one of {}, or a range such as mon-fri", DAYS.join(", "))),
        }
    }

    pub(super) fn holds(self, at: NaiveDateTime) -> bool {
        let day = weekday(at);
        if self.from <= self.to { (self.from..=self.to).contains(&day) } else { day >= self.from || day <= self.to }
    }
}

fn weekday(at: NaiveDateTime) -> usize {
    at.weekday().num_days_from_monday() as usize
}

/// The day's word.
pub(super) fn day_name(at: NaiveDateTime) -> &'static str {
    DAYS.get(weekday(at)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap()
    }

    #[test]
    fn ranges_end_before_their_second_hour_and_may_wrap() {
        for (range, time, expected) in [
            ("08-18", "08:00:00", true),
            ("08-18", "07:59:59", false),
            ("08-18", "17:59:59", true),
            ("08-18", "18:00:00", false),
            ("8-18", "09:00:00", true),
            ("22-06", "23:00:00", true),
            ("22-06", "05:59:59", true),
            ("22-06", "06:00:00", false),
            ("07:30-16", "07:29:59", false),
            ("07:30-16", "07:30:00", true),
            ("00-24", "23:59:59", true),
            ("18-24", "23:59:59", true),
            ("18-00", "23:59:59", true),
            ("18-00", "00:00:00", false),
        ] {
            let holds = Hours::new(range).unwrap().holds(at(&format!("2026-11-24 {time}")));
            assert_eq!(holds, expected, "{range} {time}");
        }
        for bad in ["", "08", "08-", "-18", "08-25", "8-8", "24-06", "08:60-09", "08-18-20", "+8-18", "008-18", "a-b"] {
            assert!(Hours::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn days_hold_both_ends_and_may_wrap() {
        // 2026-11-24 is a Tuesday.
        for (range, day, expected) in [
            ("mon-fri", 24, true),
            ("mon-fri", 28, false),
            ("tue", 24, true),
            ("wed", 24, false),
            ("fri-mon", 29, true),
            ("fri-mon", 30, true),
            ("fri-mon", 25, false),
        ] {
            let holds = Days::new(range).unwrap().holds(at(&format!("2026-11-{day} 12:00:00")));
            assert_eq!(holds, expected, "{range} {day}");
        }
        for bad in ["", "Mon", "monday", "mon-", "mon-fri-sat", "1-5"] {
            assert!(Days::new(bad).is_err(), "{bad}");
        }
    }
}
