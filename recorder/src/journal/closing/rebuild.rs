//! A segment whose file failed, made anew from what of it can be read back, with a gap line at its end.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use hansard_schemas::cast::{Code, Encoder, Gap, GapWhat, GapWhy, LineReader};
use hansard_schemas::segment::{self, Closed, HeaderSpec, Reader, SegmentWriter};
use hansard_schemas::session::Footer;

use super::{CloseJob, Damage};

/// Seals what can be read of a damaged segment anew, with a gap line at its end.
pub(super) fn rebuild(job: &CloseJob, damage: &Damage) -> io::Result<Closed> {
    let mut entry = None;
    let mut reader = LineReader::new(job.number == 0, damage.offset_ms);
    let mut kept: Vec<(u64, Vec<u8>)> = Vec::new();
    let bytes = std::fs::read(&job.path).unwrap_or_default();
    let scan = segment::scan_open(&bytes);
    if let Some(header) = &scan.header {
        entry.clone_from(&header.entry);
        if let Ok(mut blocks) = Reader::new(&bytes[..scan.kept_len], &job.secret) {
            while let Ok(Some(block)) = blocks.next_block() {
                if reader.push(&block.lines).is_err() {
                    break;
                }
                kept.push((block.position, block.lines.to_vec()));
            }
        }
    }
    let spec = HeaderSpec {
        session: damage.session,
        segment: job.number,
        start: damage.start,
        offset_ms: damage.offset_ms,
        epoch: damage.epoch,
        index: job.spare.1,
        signer: job.signer.public(),
        entry,
    };
    let (mut writer, mut out) = SegmentWriter::new(spec, &job.spare.0, &damage.keys, 3).map_err(io::Error::other)?;
    for (position, lines) in &kept {
        writer.seal(lines, *position, &mut out).map_err(io::Error::other)?;
    }
    let last_position = kept.last().map_or(damage.position.min(1), |(position, _)| *position);
    let mut encoder = Encoder::at(reader.time_ms().max(damage.offset_ms));
    let mut lines = Vec::new();
    if kept.is_empty() && job.number > 0 {
        encoder.text(&mut lines, Code::Resize, damage.offset_ms, &damage.size.to_string());
    }
    let mut gap = Gap::new(GapWhat::Output, GapWhy::Damaged);
    gap.from_ms = Some(encoder.offset_ms());
    gap.to_ms = Some(damage.end_ms);
    gap.note = Some(format!("the disk refused: {}; what could be read back is kept", damage.why));
    encoder.text(&mut lines, Code::Gap, damage.end_ms, &gap.to_data().map_err(io::Error::other)?);
    writer.seal(&lines, damage.position.max(last_position), &mut out).map_err(io::Error::other)?;
    let footer = Footer {
        lines: writer.lines(),
        duration_ms: damage.end_ms.saturating_sub(damage.offset_ms),
        streams: reader.counts(),
        stop: None,
    };
    let closed = writer.finish(&footer, &mut out).map_err(io::Error::other)?;
    replace_synced(&job.path, &out)?;
    Ok(closed)
}

/// Writes a new file beside, syncs it and renames it over: readers find the old or the new one, whole.
pub(super) fn replace_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("joined");
    let made = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        rustix::fs::fdatasync(&file)?;
        std::fs::rename(&temporary, path)
    })();
    if made.is_err() {
        // A half-written copy on a full disk only takes space.
        let _ = std::fs::remove_file(&temporary);
    }
    made
}
