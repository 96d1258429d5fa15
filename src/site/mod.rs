//! What all pages have in common: the operator's branding, the assets, the language; and documents prepared once.

pub(crate) mod assets;
mod colour;
pub(crate) mod i18n;
pub(crate) mod links;
pub(crate) mod prepared;

use thiserror::Error;

use assets::Assets;
use colour::Colour;
use i18n::{Messages, Piece};
use links::{WebLink, picture};

/// The operator's branding as it is configured; empty means not set.
#[derive(Debug, Clone, Copy)]
pub struct Branding<'a> {
    pub name: &'a str,
    pub logo_url: &'a str,
    pub accent: &'a str,
    pub support_url: &'a str,
    pub policy_url: &'a str,
    pub tos_url: &'a str,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum BrandingError {
    #[error("branding.name must not be empty")]
    Name,
    #[error("branding.logo_url must be an https URL")]
    Logo,
    #[error("branding.accent must be a colour such as #3451d1")]
    Accent,
    #[error("branding.support_url must be an http, https or mailto URL")]
    Support,
    #[error("branding.policy_url must be an http or https URL")]
    Policy,
    #[error("branding.tos_url must be an http or https URL")]
    Terms,
}

/// Made once at start from the configuration, shared by all pages.
#[derive(Debug, Clone)]
pub struct Site {
    pub name: String,
    pub logo: Option<String>,
    /// At the foot of every page.
    pub links: Vec<FooterLink>,
    pub assets: Assets,
    base_path: String,
}

impl Site {
    /// `base_path` is the path of the issuer, with or without a slash at its end. Every problem is
    /// reported, not only the first.
    pub fn new(branding: &Branding<'_>, base_path: &str) -> Result<Self, Vec<BrandingError>> {
        let mut problems = Vec::new();
        let name = branding.name.trim();
        if name.is_empty() {
            problems.push(BrandingError::Name);
        }
        let logo = optional(branding.logo_url, picture, BrandingError::Logo, &mut problems);
        let links = footer(branding, &mut problems);
        match Colour::parse(branding.accent) {
            Some(accent) if problems.is_empty() => Ok(Self {
                name: name.to_owned(),
                logo,
                links,
                assets: Assets::new(accent),
                base_path: base_path.trim_end_matches('/').to_owned(),
            }),
            Some(_) => Err(problems),
            None => {
                problems.push(BrandingError::Accent);
                Err(problems)
            }
        }
    }

    /// The frame of a page in this language.
    pub fn frame<'a>(&'a self, text: &'a Messages) -> Frame<'a> {
        Frame { site: self, text }
    }
}

fn optional(
    value: &str,
    parse: fn(&str) -> Option<String>,
    problem: BrandingError,
    problems: &mut Vec<BrandingError>,
) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    let parsed = parse(value);
    if parsed.is_none() {
        problems.push(problem);
    }
    parsed
}

/// A link of the operator's.
#[derive(Debug, Clone)]
pub struct FooterLink {
    pub href: String,
    /// The message that names it.
    pub key: &'static str,
}

fn footer(branding: &Branding<'_>, problems: &mut Vec<BrandingError>) -> Vec<FooterLink> {
    let web = |address: &str| WebLink::parse(address).map(|link| link.href);
    let links = [
        ("page.help", optional(branding.support_url, support, BrandingError::Support, problems)),
        ("page.policy", optional(branding.policy_url, web, BrandingError::Policy, problems)),
        ("page.terms", optional(branding.tos_url, web, BrandingError::Terms, problems)),
    ];
    links.into_iter().filter_map(|(key, href)| href.map(|href| FooterLink { href, key })).collect()
}

fn support(address: &str) -> Option<String> {
    let mail = address.starts_with("mailto:").then(|| address.to_owned());
    mail.or_else(|| WebLink::parse(address).map(|link| link.href))
}

/// What every page needs to know; the templates reach their texts and links through it.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    pub site: &'a Site,
    pub text: &'a Messages,
}

impl<'a> Frame<'a> {
    /// The text of a key.
    pub fn t(&self, key: &'a str) -> &'a str {
        self.text.get(key)
    }

    /// A text with one value in it, in pieces.
    pub fn phrase(&self, key: &str, name: &str, value: impl AsRef<str>) -> Vec<Piece> {
        self.text.phrase(key, &[(name, value.as_ref())])
    }

    /// A text with one value in it, as plain text (for `<title>`).
    pub fn with(&self, key: &str, name: &str, value: impl AsRef<str>) -> String {
        self.text.with(key, &[(name, value.as_ref())])
    }

    /// A path of ours, below the issuer's own path.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.site.base_path)
    }

    pub fn stylesheet(&self) -> String {
        self.path(&format!("/assets/{}", self.site.assets.stylesheet.name))
    }

    pub fn script(&self) -> String {
        self.path(&format!("/assets/{}", self.site.assets.script.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use i18n::choose;

    const GOOD: Branding<'_> = Branding {
        name: "Acme",
        logo_url: "",
        accent: "#3451d1",
        support_url: "",
        policy_url: "",
        tos_url: "",
    };

    #[test]
    fn links_carry_the_path_of_the_issuer() {
        for (base, expected) in [("/", "/login"), ("", "/login"), ("/auth/", "/auth/login")] {
            let site = Site::new(&GOOD, base).unwrap();
            assert_eq!(site.frame(choose(None, None)).path("/login"), expected);
        }
    }

    #[test]
    fn every_problem_of_the_branding_is_reported() {
        let bad = Branding {
            name: " ",
            logo_url: "http://a/",
            accent: "blue",
            support_url: "javascript:x",
            policy_url: "data:x",
            tos_url: "x",
        };
        let problems = Site::new(&bad, "").unwrap_err();
        use BrandingError::{Accent, Logo, Name, Policy, Support, Terms};
        assert_eq!(problems, [Name, Logo, Support, Policy, Terms, Accent]);
        let mail = Branding { support_url: "mailto:help@acme.example", ..GOOD };
        assert!(Site::new(&mail, "").is_ok());
    }
}
