//! Which profiles there are, and what is wrong with those of an operator.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::config::Settings;
use crate::model::{PkcePolicy, Presence, RefreshTokenPolicy};

/// The profiles that come with the program.
pub(crate) fn embedded() -> Profiles {
    Settings::load(None, []).unwrap().clients.profiles
}

/// A directory of profiles that is gone with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str, files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("chancery-profiles-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        files.iter().for_each(|(name, text)| fs::write(path.join(name), text).unwrap());
        Self(path)
    }

    fn load(&self) -> Result<Profiles, Vec<String>> {
        let directory = self.0.to_str().unwrap().to_owned();
        let settings = Settings::load(None, [("CHANCERY_CLIENTS__PROFILES_DIRECTORY".to_owned(), directory)]);
        let told = |problem: &crate::config::Problem| problem.to_string();
        settings
            .map(|settings| settings.clients.profiles)
            .map_err(|problems| problems.0.iter().map(told).collect())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn every_file_of_the_directory_is_a_profile() {
    let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/config/profiles")).unwrap();
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(embedded().names(), format!("default, {}", names.join(", ")));
}

#[test]
fn an_operator_adds_a_profile_by_a_file() {
    let text = "pkce = \"optional\"\nrefresh_policy = \"always\"\nrefresh_token_lifetime = -1\n";
    let own = Directory::new("added", &[("acme-2.toml", text), ("README", "not a profile")]);
    let profiles = own.load().unwrap();
    assert_eq!(profiles.names(), embedded().names().replace("default, ", "default, acme-2, "));
    let presets = profiles.presets(&ProfileName::new("acme-2")).unwrap();
    assert_eq!((presets.pkce, presets.refresh), (PkcePolicy::Optional, RefreshTokenPolicy::Always));
    assert_eq!(presets.refresh_token_lifetime, Some(Lifetime::Unlimited));
    // What it does not say is strict.
    assert_eq!(presets.authorization_scheme, Presence::Required);
}

#[test]
fn every_problem_of_every_profile_is_told_at_once() {
    let files = [
        ("Acme.toml", ""),
        ("default.toml", ""),
        ("primer.toml", ""),
        ("long.toml", "pkce = \"optional\"\naccess_token_lifetime = 86401\n"),
        ("mistyped.toml", "pkce = \"optional\"\nrefresh_polici = \"always\"\n"),
        ("unknown.toml", "refresh_policy = \"sometimes\"\n"),
        ("broken.toml", "pkce = \"opt\nional\n"),
    ];
    let problems = Directory::new("wrong", &files).load().unwrap_err();
    assert_eq!(problems.len(), files.len(), "{problems:?}");
    for told in [
        "Acme.toml: \"Acme\" is not a name of a profile",
        "default.toml: there is a profile \"default\" already",
        "primer.toml: there is a profile \"primer\" already",
        "long.toml: access_token_lifetime is out of range",
        "mistyped.toml: line 2: unknown field `refresh_polici`",
        "unknown.toml: line 1: unknown variant `sometimes`",
        "broken.toml: line 2: ",
    ] {
        let told = format!("clients.profiles_directory: {told}");
        assert!(problems.iter().any(|problem| problem.starts_with(&told)), "{told}: {problems:?}");
    }
}

#[test]
fn a_directory_that_is_not_there_is_a_problem() {
    let problems = Directory(PathBuf::from("no/such/directory")).load().unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("no/such/directory cannot be read"), "{problems:?}");
}
