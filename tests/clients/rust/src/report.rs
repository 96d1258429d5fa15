//! One line a check, `ok ...` or `not ok ...`, and a last line `N passed, M failed`.

use std::error::Error;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Default)]
pub struct Report {
    pub prefix: String,
    passed: u32,
    failed: u32,
}

impl Report {
    /// Runs one check and answers what it found; `None` when it failed.
    pub fn check<T>(&mut self, name: &str, body: impl FnOnce() -> Outcome<T>) -> Option<T> {
        match body() {
            Ok(value) => {
                self.passed += 1;
                println!("ok {}{name}", self.prefix);
                Some(value)
            }
            Err(error) => {
                self.failed += 1;
                println!("not ok {}{name}", self.prefix);
                let mut cause: Option<&dyn Error> = Some(error.as_ref());
                while let Some(current) = cause {
                    println!("    {current}");
                    cause = current.source();
                }
                None
            }
        }
    }

    /// Prints the summary; true when everything passed.
    pub fn finish(self) -> bool {
        println!("{} passed, {} failed", self.passed, self.failed);
        self.failed == 0 && self.passed > 0
    }
}

pub fn ensure(condition: bool, otherwise: impl Into<String>) -> Outcome<()> {
    if condition { Ok(()) } else { Err(otherwise.into().into()) }
}
