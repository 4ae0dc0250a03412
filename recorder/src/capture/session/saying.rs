//! What the recorder itself has to say in a session: texts for the terminal, markers for the reader.
//!
//! Not for what a hold says, whose text waits until something can be recorded again: that is the session's own.

use hansard_schemas::cast::Code;
use hansard_tee::Reply;

use super::Session;
use crate::capture::segments::Blocked;

impl Session {
    /// Records a text and has it shown.
    pub fn say(&mut self, time_us: u64, text: &str) {
        self.shown_meanwhile(time_us, text);
        self.replies.push_back(Reply::Notice(text.to_owned()));
    }

    /// Records a text that was shown already, while nothing could be recorded.
    pub fn shown_meanwhile(&mut self, time_us: u64, text: &str) {
        self.stage_own(time_us, |session, t_ms| session.stage_notice(t_ms, text));
    }

    /// Records a marker, which only readers of the recording see.
    pub fn mark(&mut self, time_us: u64, text: &str) {
        self.stage_own(time_us, |session, t_ms| session.stage_text(Code::Marker, t_ms, text));
    }

    fn stage_own(&mut self, time_us: u64, stage: impl FnOnce(&mut Self, u64)) {
        self.now_us = self.now_us.max(time_us);
        let t_ms = self.now_us / 1_000;
        // What cannot be written now is staged first, and written with the next that can.
        let before: Result<(), Blocked> = self.flush();
        if before.is_ok() {
            stage(self, t_ms);
        }
        let result = before.and_then(|()| self.flush());
        self.holds_if(self.now_us, result);
    }
}
