//! The command reference is what the command line's grammar says.
//!
//! `UPDATE_DOCS=1 cargo test --test e2e -- command_reference` writes it.

use std::fmt::Write as _;

use deploylock::cli::grammar;

use super::pages::folder;

const HEAD: &str = "\
# Commands

This page is made from the program's own help (`deploylock --help`, `deploylock COMMAND --help`), which a test keeps it equal to.

";

#[test]
fn the_command_reference_is_what_the_grammar_says() {
    let (path, now) = (folder().join("commands.md"), reference());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == now,
        "docs/commands.md is not what the grammar says; write it anew with\n  \
         UPDATE_DOCS=1 cargo test --test e2e -- command_reference"
    );
}

/// Options and all, as help shows them; the global ones once.
fn reference() -> String {
    let mut program = grammar().term_width(100);
    program.build();
    let mut text = HEAD.to_owned();
    section(&mut text, "deploylock", &mut program.clone());
    for command in program.get_subcommands_mut() {
        let name = format!("deploylock {}", command.get_name());
        let mut command = command.clone().mut_args(|a| if a.is_global_set() { a.hide(true) } else { a });
        section(&mut text, &name, &mut command);
    }
    text
}

fn section(text: &mut String, name: &str, command: &mut clap::Command) {
    let help = command.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    writeln!(text, "## `{name}`\n\n```text\n{}\n```\n", help.join("\n").trim_end()).unwrap();
}
