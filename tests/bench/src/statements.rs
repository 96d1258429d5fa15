//! How many statements the database has run: what a program that `scripts/bench` wrote says, as the load generator
//! speaks to no database.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

/// A program that prints the number of statements so far.
pub struct Statements {
    program: PathBuf,
}

impl Statements {
    pub fn new(program: &Path) -> Self {
        Self { program: program.to_owned() }
    }

    pub fn read(&self) -> Result<u64> {
        let output = Command::new(&self.program).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.trim().parse().map_err(|_| format!("{}: it printed no number", self.program.display()).into())
    }
}
