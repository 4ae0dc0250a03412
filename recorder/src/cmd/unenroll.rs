//! `unenroll`: users get their own login shell back.

use super::enroll::each;
use crate::cli::UnenrollArgs;
use crate::enroll::{self, Locked};
use crate::report::Failure;

/// Runs the command.
pub fn run(args: &UnenrollArgs) -> Result<i32, Failure> {
    enroll::only_root("unenroll")?;
    let mut file = Locked::open()?;
    let everybody = enroll::everybody(&file)?;
    if args.all {
        return Ok(each(&everybody, |user| enroll::unenroll(&mut file, user)));
    }
    Ok(each(&args.users, |user| enroll::unenroll(&mut file, user)))
}
