//! `enroll`: users whose every login is recorded from now on, and who they are.

use std::io::{self, Write as _};

use hansard_schemas::names::safe;

use crate::cli::EnrollArgs;
use crate::enroll::{self, Locked, Outcome, Row};
use crate::report::{EXIT_FINDINGS, Failure};

/// Runs the command.
pub fn run(args: &EnrollArgs) -> Result<i32, Failure> {
    if args.list {
        return list(args.json);
    }
    let mut warnings = enroll::ready()?;
    warnings.extend(enroll::prepare_break_glass()?);
    let mut file = Locked::open()?;
    let code = each(&args.users, |user| match (&args.shell, args.remember) {
        (Some(shell), true) => enroll::remember(&mut file, user, shell),
        (shell, _) => enroll::enroll(&mut file, user, shell.as_deref()),
    });
    warnings.iter().for_each(|warning| eprintln!("hansard-record: warning: {warning}"));
    Ok(code)
}

/// Does something for each user, says what became of him, and gives the exit code.
pub(super) fn each<'a>(
    users: impl IntoIterator<Item = &'a String>,
    mut change: impl FnMut(&str) -> Result<Outcome, Failure>,
) -> i32 {
    let mut code = 0;
    for user in users {
        match change(user) {
            Ok(outcome) => {
                // Whoever does not read it any more still wants it done for all.
                let _ = writeln!(io::stdout(), "{}: {}", safe(user), safe(&outcome.what));
                for warning in &outcome.warnings {
                    eprintln!("hansard-record: warning: {}", safe(warning));
                }
            }
            Err(failure) => {
                code = EXIT_FINDINGS;
                let what = format!("{user}: {}", failure.what);
                eprint!("{}", Failure { what, ..failure }.render());
            }
        }
    }
    code
}

fn list(json: bool) -> Result<i32, Failure> {
    let rows = enroll::rows()?;
    let text = if json { serde_json::to_string_pretty(&rows).map_err(Failure::new)? + "\n" } else { table(&rows) };
    match io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(e)),
        _ => Ok(0),
    }
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.user.len()).max().unwrap_or(0).max(8);
    let line = |row: &Row| {
        let shell = row.shell.as_ref().map_or_else(|| "-".into(), |shell| shell.display().to_string());
        format!("{:width$}  {:16}  {}\n", safe(&row.user), safe(&shell), row.state.words())
    };
    rows.iter().map(line).collect()
}
