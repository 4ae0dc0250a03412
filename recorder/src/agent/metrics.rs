//! What the agent counts, in Prometheus' text format: for `status --prometheus`, and for a file that a node exporter's
//! textfile collector reads.
//!
//! Counters begin at 0 with each agent, as Prometheus expects. Not for names or contents: nothing here says who.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::control::Sink;
use super::shared::Shared;

/// The text.
pub fn text(shared: &Shared, sinks: &[Sink]) -> String {
    let mut text = String::new();
    let counters = &shared.counters;
    let all: [(&str, &str, &AtomicU64); 7] = [
        ("sessions_started", "Sessions that were started.", &counters.started),
        ("sessions_resumed", "Sessions that were taken up from an agent before.", &counters.resumed),
        ("sessions_ended", "Sessions that are over.", &counters.ended),
        ("sessions_denied", "Starts that policy denied.", &counters.denied),
        ("sessions_failed", "Starts that could not be recorded.", &counters.failed),
        ("sessions_stalled", "Tees that were silent and hung up.", &counters.stalled),
        ("sessions_terminated", "Sessions that an operator ended.", &counters.terminated),
    ];
    for (name, help, value) in all {
        let value = value.load(Ordering::Relaxed);
        metric(&mut text, &format!("hansard_{name}_total"), help, "counter", &[(String::new(), value)]);
    }
    let open = shared.registry.count() as u64;
    metric(&mut text, "hansard_sessions", "Sessions that run.", "gauge", &[(String::new(), open)]);
    let spool = shared.services.spool().used();
    metric(&mut text, "hansard_spool_bytes", "Bytes that the spool holds.", "gauge", &[(String::new(), spool)]);
    let label = |sink: &Sink| format!("{{sink=\"{}\"}}", escaped(&sink.sink));
    let of = |value: fn(&Sink) -> u64| sinks.iter().map(|sink| (label(sink), value(sink))).collect::<Vec<_>>();
    let behind = of(|sink| sink.behind);
    metric(&mut text, "hansard_sink_sessions_behind", "Sessions that a sink lacks something of.", "gauge", &behind);
    let waits = of(|sink| sink.unshipped_ms);
    let help = "How long the oldest thing that a sink lacks has waited, in milliseconds.";
    metric(&mut text, "hansard_sink_unshipped_ms", help, "gauge", &waits);
    let failing = of(|sink| u64::from(sink.trouble.is_some()));
    metric(&mut text, "hansard_sink_failing", "1 where a sink refuses or does not answer.", "gauge", &failing);
    text
}

fn metric(text: &mut String, name: &str, help: &str, kind: &str, values: &[(String, u64)]) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in values {
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Writes it whole, or not at all: a reader never sees half of it.
pub fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_out_of_their_quotes() {
        assert_eq!(escaped("s3://a\"b\\c\n"), "s3://a\\\"b\\\\c\\n");
        let mut text = String::new();
        metric(&mut text, "x", "An x.", "gauge", &[("{a=\"b\"}".into(), 3), (String::new(), 0)]);
        assert_eq!(text, "# HELP x An x.\n# TYPE x gauge\nx{a=\"b\"} 3\nx 0\n");
    }
}
