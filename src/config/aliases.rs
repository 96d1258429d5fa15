//! Path aliases: `PATH=ENDPOINT` or `PATH=ENDPOINT@PROFILE`.

use std::sync::Arc;

use super::reader::{Reader, Refusal};
use super::table::aliases;
use crate::model::{ClientPolicy, ProfileName, Profiles};

/// What an alias may stand for.
const ENDPOINTS: [&str; 9] =
    ["/authorize", "/par", "/token", "/introspect", "/userinfo", "/revoke", "/jwks", "/logout", "/account"];
/// What begins a path of the server itself.
const OURS: [&str; 13] = [
    "authorize",
    "par",
    "token",
    "introspect",
    "userinfo",
    "revoke",
    "jwks",
    "login",
    "consent",
    "account",
    "logout",
    "assets",
    ".well-known",
];

#[derive(Clone, Debug)]
pub struct AliasSettings {
    pub paths: Vec<Alias>,
}

/// Another path of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    pub path: String,
    pub endpoint: &'static str,
    /// What is preset for the clients that the path is kept for: what an answer looks like before a client is known.
    pub presets: Option<Arc<ClientPolicy>>,
}

impl Alias {
    pub(crate) fn parse(text: &str, profiles: &Profiles) -> Result<Self, Refusal> {
        let refusal = |problem: String, remedy: &str| (problem, remedy.to_owned());
        let (path, target) = text
            .split_once('=')
            .ok_or_else(|| refusal(format!("\"{text}\" has no ="), "write it as /oauth2/token=/token"))?;
        let (path, target) = (path.trim(), target.trim());
        let (endpoint, presets) = match target.split_once('@') {
            Some((endpoint, profile)) => (endpoint, Some(presets_of(profile, profiles)?)),
            None => (target, None),
        };
        let known = ENDPOINTS.into_iter().find(|known| *known == endpoint);
        let endpoint = known.ok_or_else(|| {
            (format!("\"{endpoint}\" is not an endpoint"), format!("choose one of {}", ENDPOINTS.join(", ")))
        })?;
        if presets.is_some() && endpoint != "/userinfo" {
            let remedy = "leave out the profile: everywhere else the client is known";
            return Err(refusal(format!("{endpoint} is not kept for a profile"), remedy));
        }
        check(path)?;
        Ok(Self { path: path.to_owned(), endpoint, presets })
    }
}

fn presets_of(name: &str, profiles: &Profiles) -> Result<Arc<ClientPolicy>, Refusal> {
    let found = profiles.presets(&ProfileName::new(name)).map(Arc::clone);
    found.map_err(|unknown| {
        (format!("\"{name}\" is not a profile"), format!("choose one of {}", unknown.known))
    })
}

pub(super) fn read(reader: &mut Reader, profiles: &Profiles) -> Option<AliasSettings> {
    let paths = reader.list(aliases::paths, |text| Alias::parse(text, profiles))?;
    let twice = paths
        .iter()
        .enumerate()
        .find(|(index, alias)| paths[..*index].iter().any(|earlier| earlier.path == alias.path));
    if let Some((_, alias)) = twice {
        let problem = format!("{} is there twice", alias.path);
        reader.refuse(aliases::paths.key, problem, "keep one of them".to_owned());
        return None;
    }
    Some(AliasSettings { paths })
}

/// A plain path that is not one of ours. `/token/` is another path than `/token`.
fn check(path: &str) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/');
    let well_formed = path.len() > 1
        && path.starts_with('/')
        && !path.contains("//")
        && path.bytes().all(plain)
        && !path.split('/').any(|segment| matches!(segment, "." | ".."));
    if !well_formed {
        let remedy = "write a path like /oauth2/token, of letters, digits and - _ . ~".to_owned();
        return Err((format!("\"{path}\" is not a plain path"), remedy));
    }
    let mut segments = path.trim_matches('/').split('/');
    let ours = segments.next().is_some_and(|first| OURS.contains(&first));
    if ours && (segments.next().is_some() || !path.ends_with('/')) {
        return Err((format!("{path} is a path of the server itself"), "choose another path".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Alias, Refusal};
    use crate::config::embedded;
    use crate::model::{ProfileName, UserinfoProfile};

    fn parse(text: &str) -> Result<Alias, Refusal> {
        Alias::parse(text, &embedded())
    }

    #[test]
    fn an_alias_is_a_path_and_an_endpoint_and_for_userinfo_a_profile() {
        let alias = parse("/oauth2/token = /token").unwrap();
        assert_eq!((alias.path.as_str(), alias.endpoint, alias.presets), ("/oauth2/token", "/token", None));
        let presets = parse("/userinfo/=/userinfo@primer").unwrap().presets.unwrap();
        assert_eq!(&presets, embedded().presets(&ProfileName::new("primer")).unwrap());
        assert_eq!(presets.userinfo, UserinfoProfile::LegacyHs256);
        for right in ["/authorize/=/authorize", "/auth/code=/authorize", "/v1/oauth2.token=/token"] {
            assert!(parse(right).is_ok(), "{right}");
        }
    }

    #[test]
    fn what_is_no_path_no_endpoint_or_ours_is_refused() {
        for wrong in [
            "",
            "/a",
            "=/token",
            "/=/token",
            "a=/token",
            "//a=/token",
            "/a{b}=/token",
            "/a?b=/token",
            "/a/../b=/token",
            "/a=/login",
            "/a=token",
            "/a=/token@primer",
            "/a=/userinfo@nobody",
            "/token=/authorize",
            "/account/apps=/token",
            "/.well-known/x=/token",
            "/login=/token",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
