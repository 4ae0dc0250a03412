//! The whole help as snapshots: what users are told changes on purpose only.

use clap::CommandFactory as _;
use hansard_record::cli::Cli;
use hansard_record::report::Failure;

fn help(path: &[&str]) -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut at = &mut command;
    for name in path {
        let Some(sub) = at.find_subcommand_mut(name) else { return format!("no command {name}") };
        at = sub;
    }
    at.clone().term_width(100).render_long_help().to_string()
}

#[test]
fn the_whole_help() {
    let verbs: [&[&str]; 8] =
        [&[], &["run"], &["import"], &["ship"], &["check"], &["enroll"], &["unenroll"], &["policy", "test"]];
    let all: Vec<String> = verbs.iter().map(|path| help(path)).collect();
    insta::assert_snapshot!(all.join("\n======\n"));
}

#[test]
fn failures_are_two_lines_and_cannot_act_on_the_terminal() {
    let failure = Failure::new("cannot open /tmp/\x1b[2Jx: no such file").hint("give another with --spool\u{202e}");
    insta::assert_snapshot!(failure.render());
}
