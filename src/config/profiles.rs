//! The compatibility profiles: the files of `config/profiles`, which are embedded, and those of the operator. A file is a
//! profile and its name the profile's; it holds what the profile presets, by the names of the members of a client's metadata.

#[cfg(test)]
pub(super) mod tests;

use std::ops::RangeInclusive;
use std::path::Path;

use super::reader::{Reader, Refusal};
use super::table::clients;
use crate::model::{ClientPolicy, Lifetime, ProfileName, Profiles};
use crate::protocol::registration::{MAX_ACCESS_TOKEN_LIFETIME, MAX_CODE_LIFETIME, MAX_REFRESH_GRANTS};

/// The embedded files: name and text.
const EMBEDDED: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/profiles.rs"));
const EXTENSION: &str = ".toml";
const DIRECTORY: &str = clients::profiles_directory.key;
const LONGEST_NAME: usize = 40;

type Profile = (ProfileName, ClientPolicy);

/// All that can be read. What cannot is a problem, so that nothing is started without it.
pub(super) fn read(reader: &mut Reader) -> Profiles {
    let directory = reader.text(clients::profiles_directory).unwrap_or_default();
    let mut refuse = |(problem, remedy)| reader.refuse(DIRECTORY, problem, remedy);
    let embedded = EMBEDDED.iter().map(|(file, text)| profile(file, text));
    let mut profiles: Vec<Profile> = embedded.filter_map(|read| read.map_err(&mut refuse).ok()).collect();
    let own = match directory.as_str() {
        "" => Vec::new(),
        directory => files(Path::new(directory)).map_err(&mut refuse).unwrap_or_default(),
    };
    for (file, text) in own {
        let read = text.and_then(|text| profile(&file, &text)).and_then(|own| new(own, &profiles));
        profiles.extend(read.map_err(|(problem, remedy)| refuse((format!("{file}: {problem}"), remedy))));
    }
    Profiles::of(profiles)
}

/// A file of the operator's: its name, and its text where it can be read.
type OwnFile = (String, Result<String, Refusal>);

/// The operator's files in the order of their names.
fn files(directory: &Path) -> Result<Vec<OwnFile>, Refusal> {
    let unreadable = |error: std::io::Error| {
        let remedy = "give the path of a directory that this user can read".to_owned();
        (format!("{} cannot be read: {error}", directory.display()), remedy)
    };
    let entries = std::fs::read_dir(directory).map_err(unreadable)?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<Result<Vec<String>, _>>().map_err(unreadable)?;
    names.retain(|name| name.ends_with(EXTENSION));
    names.sort();
    let text = |name: &str| {
        let remedy = || "make it readable to this user, or remove it".to_owned();
        let text = std::fs::read_to_string(directory.join(name));
        text.map_err(|error| (format!("it cannot be read: {error}"), remedy()))
    };
    Ok(names.into_iter().map(|name| (text(&name), name)).map(|(text, name)| (name, text)).collect())
}

/// One that takes no name from another.
fn new(own: Profile, known: &[Profile]) -> Result<Profile, Refusal> {
    let is_taken = own.0.as_str() == ProfileName::STRICT || known.iter().any(|(name, _)| *name == own.0);
    if is_taken {
        let problem = format!("there is a profile \"{}\" already", own.0);
        return Err((problem, "give the file another name".to_owned()));
    }
    Ok(own)
}

fn profile(file: &str, text: &str) -> Result<Profile, Refusal> {
    let name = file.strip_suffix(EXTENSION).unwrap_or(file);
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(plain) {
        let remedy = format!("name it with 1 to {LONGEST_NAME} small letters, digits, and - _");
        return Err((format!("\"{name}\" is not a name of a profile"), remedy));
    }
    let presets: ClientPolicy = toml::from_str(text).map_err(|error| unreadable(&error, text))?;
    match out_of_range(&presets) {
        Some((member, range)) => Err((
            format!("{member} is out of range"),
            format!("give a whole number from {} to {}", range.start(), range.end()),
        )),
        None => Ok((ProfileName::new(name), presets)),
    }
}

fn unreadable(error: &toml::de::Error, text: &str) -> Refusal {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let problem = format!("line {line}: {}", error.message().lines().next().unwrap_or_default());
    (problem, "docs/compatibility.md has the members and their values".to_owned())
}

/// A number that no client could register for itself.
fn out_of_range(presets: &ClientPolicy) -> Option<(&'static str, RangeInclusive<i64>)> {
    let seconds = |lifetime: Option<Lifetime>| match lifetime? {
        Lifetime::Seconds(seconds) => Some(seconds),
        Lifetime::Unlimited => None,
    };
    let given = [
        ("refresh_interval", presets.refresh_interval, 0..=MAX_ACCESS_TOKEN_LIFETIME),
        ("max_refresh_grants", presets.max_refresh_grants, 1..=MAX_REFRESH_GRANTS),
        ("access_token_lifetime", presets.access_token_lifetime, 1..=MAX_ACCESS_TOKEN_LIFETIME),
        ("authorization_code_lifetime", presets.authorization_code_lifetime, 1..=MAX_CODE_LIFETIME),
        ("refresh_token_lifetime", seconds(presets.refresh_token_lifetime), 1..=i64::MAX),
        ("refresh_token_idle_lifetime", seconds(presets.refresh_token_idle_lifetime), 1..=i64::MAX),
    ];
    let wrong = |(_, number, range): &(_, Option<i64>, RangeInclusive<i64>)| {
        number.is_some_and(|number| !range.contains(&number))
    };
    given.into_iter().find(wrong).map(|(member, _, range)| (member, range))
}
