//! What is embedded by directory: `sqlx::migrate!` does not see a new migration by itself, and each file of
//! `config/profiles` is a profile.

use std::error::Error;
use std::fmt::Write as _;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=config/profiles");
    let entries = fs::read_dir("config/profiles")?.map(|entry| Ok(entry?.file_name()));
    let mut files = entries.collect::<Result<Vec<_>, std::io::Error>>()?;
    files.sort();
    let mut list = String::from("[\n");
    for file in files.iter().filter_map(|file| file.to_str()) {
        writeln!(
            list,
            "({file:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/config/profiles/{file}\"))),"
        )?;
    }
    list.push(']');
    Ok(fs::write(format!("{}/profiles.rs", env::var("OUT_DIR")?), list)?)
}
