//! docs/commands.md says what the command line says of itself, and docs/clients.md names options that are there.

use std::fmt::Write;
use std::path::Path;

use clap::{Arg, Command, CommandFactory};

use super::Cli;

const COMMANDS: &str = "docs/commands.md";
/// What stands above is written by hand.
const BEGIN: &str = "<!-- Below this line: `CHANCERY_WRITE_DOCS=1 cargo test --lib cli::args::page` writes what the program says. -->\n";

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn commands() -> Command {
    let mut all = Cli::command();
    all.build();
    all
}

/// `create` in `chancery client create`.
fn find<'c>(command: &'c Command, names: &[&str]) -> &'c Command {
    names.iter().fold(command, |command, name| command.find_subcommand(name).unwrap())
}

/// A command and all below it.
fn write(command: &Command, depth: usize, page: &mut String) {
    let name = command.get_bin_name().unwrap();
    let about = command.get_about().unwrap();
    writeln!(page, "\n{} {name}\n\n{about}.", "#".repeat(depth)).unwrap();
    let mut below = command.get_subcommands().filter(|below| below.get_name() != "help").peekable();
    if below.peek().is_some() {
        return below.for_each(|below| write(below, depth + 1, page));
    }
    let usage = command.clone().render_usage().to_string();
    writeln!(page, "\n```text\n{}\n```", usage.trim_start_matches("Usage: ")).unwrap();
    let mut own = command.get_arguments().filter(|arg| !is_everywhere(arg)).peekable();
    if own.peek().is_some() {
        page.push_str("\n| | |\n|---|---|\n");
        own.for_each(|arg| writeln!(page, "| `{arg}` | {} |", meaning(arg)).unwrap());
    }
}

/// What the text above the commands says once for all.
fn is_everywhere(arg: &Arg) -> bool {
    arg.is_global_set() || ["help", "version", "json"].contains(&arg.get_id().as_str())
}

fn meaning(arg: &Arg) -> String {
    let mut text = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
    let takes_value = arg.get_action().takes_values();
    let values: Vec<_> =
        arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if takes_value && !values.is_empty() && values != ["`true`", "`false`"] {
        write!(text, "; one of {}", values.join(", ")).unwrap();
    }
    if let (true, [default]) = (takes_value, arg.get_default_values()) {
        write!(text, "; by default `{}`", default.to_str().unwrap()).unwrap();
    }
    text
}

#[test]
fn the_page_of_commands_says_what_the_program_says() {
    let page = read(COMMANDS);
    let (by_hand, _) = page.split_once(BEGIN).unwrap();
    let mut expected = format!("{by_hand}{BEGIN}");
    for command in commands().get_subcommands().filter(|command| command.get_name() != "help") {
        write(command, 2, &mut expected);
    }
    if std::env::var_os("CHANCERY_WRITE_DOCS").is_some() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(COMMANDS), &expected).unwrap();
        return;
    }
    assert!(
        page == expected,
        "{COMMANDS} is not what the program says: CHANCERY_WRITE_DOCS=1 writes it anew"
    );
}

#[test]
fn every_option_of_the_page_about_clients_is_one() {
    let all = commands();
    let create = find(&all, &["client", "create"]);
    let page = read("docs/clients.md");
    let named = page.split("`--").skip(1).filter_map(|rest| rest.split(['`', ' ', '=']).next());
    let named: Vec<_> = named.collect();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(create.get_arguments().any(|arg| arg.get_long() == Some(name)), "--{name} is none");
    }
}
