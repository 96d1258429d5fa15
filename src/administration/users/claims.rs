//! Claims of a user as they are set one by one: `given_name`, `given_name#fr`, `address.country`.

use url::Url;

use super::refusal::UserProblem;
use crate::model::{Address, Profile, text};

/// The claims that may be in several languages (OpenID Connect Core 5.2).
const LOCALIZED: [&str; 8] =
    ["name", "given_name", "family_name", "middle_name", "nickname", "profile", "picture", "website"];
const ADDRESS: &str = "address.";
const LONGEST: usize = 1000;

/// What a claim is to be.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub name: String,
    /// An empty text clears. None: it was forgotten.
    pub value: Option<String>,
}

/// Sets one claim.
pub(super) fn set(profile: &mut Profile, claim: &Claim) -> Result<(), UserProblem> {
    let name = claim.name.as_str();
    let value = claim.value.as_deref().ok_or_else(|| UserProblem::ClaimWithoutValue(name.to_owned()))?;
    if value.len() > LONGEST {
        return Err(wrong(name, format!("use at most {LONGEST} bytes of plain text")));
    }
    if let (false, Err(error)) = (value.is_empty(), text::check_readable(value)) {
        return Err(wrong(name, error));
    }
    let bare = name.split('#').next().unwrap_or_default();
    // OpenID Connect Core 5.1: these MUST be URLs of a page or a picture.
    if ["profile", "picture", "website"].contains(&bare) && !value.is_empty() && !is_web(value) {
        return Err(wrong(name, "use an https URL"));
    }
    let text = Some(value.to_owned()).filter(|value| !value.is_empty());
    if let Some(member) = name.strip_prefix(ADDRESS) {
        return set_address(profile, member, text);
    }
    match name.split_once('#') {
        Some((bare, tag)) => set_localized(profile, bare, tag, text),
        None => {
            *member(profile, name).ok_or_else(|| unknown(name))? = text;
            Ok(())
        }
    }
}

fn is_web(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
}

fn wrong(claim: &str, problem: impl ToString) -> UserProblem {
    UserProblem::Claim { claim: claim.to_owned(), problem: problem.to_string() }
}

fn unfit(problem: String) -> UserProblem {
    UserProblem::Member { member: "claim", problem }
}

fn unknown(name: &str) -> UserProblem {
    unfit(format!(
        "{name} is none of the profile (OpenID Connect Core 5.1); write given_name, birthdate, address.country ..."
    ))
}

fn member<'p>(profile: &'p mut Profile, name: &str) -> Option<&'p mut Option<String>> {
    Some(match name {
        "name" => &mut profile.name,
        "given_name" => &mut profile.given_name,
        "family_name" => &mut profile.family_name,
        "middle_name" => &mut profile.middle_name,
        "nickname" => &mut profile.nickname,
        "profile" => &mut profile.profile,
        "picture" => &mut profile.picture,
        "website" => &mut profile.website,
        "gender" => &mut profile.gender,
        "birthdate" => &mut profile.birthdate,
        "zoneinfo" => &mut profile.zoneinfo,
        "locale" => &mut profile.locale,
        _ => return None,
    })
}

fn set_address(profile: &mut Profile, member: &str, text: Option<String>) -> Result<(), UserProblem> {
    let mut address = profile.address.take().unwrap_or_default();
    let place = match member {
        "formatted" => Some(&mut address.formatted),
        "street_address" => Some(&mut address.street_address),
        "locality" => Some(&mut address.locality),
        "region" => Some(&mut address.region),
        "postal_code" => Some(&mut address.postal_code),
        "country" => Some(&mut address.country),
        _ => None,
    };
    let known = place.map(|place| *place = text).ok_or_else(|| unknown(&format!("{ADDRESS}{member}")));
    profile.address = Some(address).filter(|address| *address != Address::default());
    known
}

/// BCP 47 tags, by their look; compared without regard to case, so they are kept as they were written.
fn set_localized(
    profile: &mut Profile,
    bare: &str,
    tag: &str,
    text: Option<String>,
) -> Result<(), UserProblem> {
    let part =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !LOCALIZED.contains(&bare) {
        return Err(unfit(format!("{bare} has no languages")));
    }
    if !tag.split('-').all(part) {
        return Err(wrong(bare, format!("{tag} is no language; write it like fr or ja-Hira")));
    }
    let name = format!("{bare}#{tag}");
    profile.localized.retain(|known, _| !known.eq_ignore_ascii_case(&name));
    if let Some(text) = text {
        profile.localized.insert(name, text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(text: &str) -> Claim {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
        Claim { name: name.to_owned(), value: value.map(str::to_owned) }
    }

    fn with(claims: &[&str]) -> Profile {
        let mut profile = Profile::default();
        claims.iter().for_each(|text| set(&mut profile, &claim(text)).unwrap());
        profile
    }

    #[test]
    fn every_claim_of_the_profile_is_set_and_cleared() {
        let profile = with(&["middle_name=King", "birthdate=1815-12-10", "website=https://ada.example"]);
        assert_eq!(profile.middle_name.as_deref(), Some("King"));
        assert_eq!(profile.website.as_deref(), Some("https://ada.example"));
        assert_eq!(with(&["middle_name=King", "middle_name="]), Profile::default());
    }

    #[test]
    fn an_address_has_its_members_and_ends_with_the_last() {
        let profile = with(&["address.country=UK", "address.street_address=1 A=B Street"]);
        let address = profile.address.unwrap();
        assert_eq!(
            (address.country.as_deref(), address.street_address.as_deref()),
            (Some("UK"), Some("1 A=B Street"))
        );
        assert_eq!(with(&["address.country=UK", "address.country="]), Profile::default());
    }

    #[test]
    fn a_claim_has_one_value_a_language() {
        let profile =
            with(&["given_name#fr=Ada", "given_name#FR=Adèle", "name#ja-Hira=あだ", "name#de=x", "name#de="]);
        let names: Vec<&str> = profile.localized.keys().map(String::as_str).collect();
        assert_eq!(names, ["given_name#FR", "name#ja-Hira"]);
        assert_eq!(profile.localized["given_name#FR"], "Adèle");
    }

    #[test]
    fn what_is_no_claim_is_refused() {
        let long = format!("name={}", "x".repeat(1001));
        for wrong in [
            "name",
            "email=a@b",
            "sub=x",
            "address.planet=Mars",
            "address=x",
            "gender#fr=x",
            "name#=x",
            "name#a b=x",
            "picture=javascript:alert(1)",
            "picture#fr=x",
            "name=a\nb",
            "name= ",
            "name=a\u{202e}b",
            "name#de=a\u{200b}b",
            "address.locality=\u{3164}",
            "localized=x",
            &long,
        ] {
            let mut profile = Profile::default();
            assert!(set(&mut profile, &claim(wrong)).is_err(), "{wrong}");
            assert_eq!(profile, Profile::default());
        }
    }
}
