//! `emit [--raw] WHAT ARGS…`: writes a known stream, in writes of a stated size, at stated times.
//!
//! The recorded program of most tests. `--raw` first makes the terminal on standard output pass every byte as it is.
//!
//! - `random SEED LENGTH WRITE`, `mixed SEED LENGTH WRITE`, `lines SEED LENGTH WRITE`: a stream of `stream.rs`
//! - `hex BYTES [MS BYTES]…`: bytes in hex, each in one write, with pauses of MS milliseconds between
//! - `zeros LENGTH`: that many zero bytes in writes of 1 MiB
//! - `chatter SEED`: small writes at irregular short intervals, without end
//! - `bulk`: numbered lines in large writes, without end
//! - `count`: reads to the end of file and says how many bytes there were

use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use hansard_tests::stream::{self, Numbers};

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|w| w == "--raw") {
        words.remove(0);
        if let Ok(mut modes) = rustix::termios::tcgetattr(io::stdout()) {
            modes.make_raw();
            let _ = rustix::termios::tcsetattr(io::stdout(), rustix::termios::OptionalActions::Now, &modes);
        }
    }
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("emit: {words:?}: {e}");
            ExitCode::FAILURE
        }
    }
}

/// Unbuffered: one call is one write, as far as the kernel takes it whole.
fn put(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = rustix::io::retry_on_intr(|| rustix::io::write(io::stdout(), bytes))?;
        bytes = &bytes[n..];
    }
    Ok(())
}

fn number(words: &[String], place: usize) -> io::Result<u64> {
    words
        .get(place)
        .and_then(|w| w.parse().ok())
        .ok_or_else(|| io::Error::other(format!("argument {place} is not a number")))
}

fn run(words: &[String]) -> io::Result<()> {
    match words.first().map(String::as_str) {
        Some(kind @ ("random" | "mixed" | "lines")) => {
            let (seed, length, write) = (number(words, 1)?, number(words, 2)? as usize, number(words, 3)? as usize);
            let bytes = match kind {
                "random" => stream::random(seed, length),
                "mixed" => stream::mixed(seed, length),
                _ => stream::lines(seed, length),
            };
            bytes.chunks(write.max(1)).try_for_each(put)
        }
        Some("hex") => words[1..].iter().enumerate().try_for_each(|(place, word)| {
            if place % 2 == 1 {
                std::thread::sleep(Duration::from_millis(word.parse().map_err(io::Error::other)?));
                return Ok(());
            }
            put(&unhex(word)?)
        }),
        Some("zeros") => {
            let block = vec![0; 1 << 20];
            let mut left = number(words, 1)? as usize;
            while left > 0 {
                let n = left.min(block.len());
                put(&block[..n])?;
                left -= n;
            }
            Ok(())
        }
        Some("chatter") => {
            let mut numbers = Numbers::new(number(words, 1)?);
            for line in 0_u64.. {
                put(format!("\x1b[3{}m{line}\x1b[0m \u{4e16}\u{754c} {:x}\r\n", line % 8, numbers.number()).as_bytes())?;
                std::thread::sleep(Duration::from_micros(numbers.below(400)));
            }
            Ok(())
        }
        Some("bulk") => {
            let mut first = 0;
            loop {
                let bytes = stream::lines(first, 64 << 10);
                first += bytes.iter().filter(|b| **b == b'\n').count() as u64;
                put(&bytes)?;
            }
        }
        Some("count") => {
            let (mut buffer, mut total) = (vec![0; 1 << 20], 0_u64);
            loop {
                match io::stdin().lock().read(&mut buffer)? {
                    0 => break,
                    n => total += n as u64,
                }
            }
            writeln!(io::stdout(), "{total}")
        }
        other => Err(io::Error::other(format!("unknown stream {other:?}"))),
    }
}

fn unhex(text: &str) -> io::Result<Vec<u8>> {
    let digit = |c: u8| (c as char).to_digit(16).map(|d| d as u8);
    text.as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => digit(*high).zip(digit(*low)).map(|(h, l)| h << 4 | l),
            _ => None,
        })
        .collect::<Option<_>>()
        .ok_or_else(|| io::Error::other("not hex"))
}
