//! `[branding]`: what the pages show of the operator.

use url::Url;

use super::reader::{Reader, Refusal};
use super::table::branding;

#[derive(Clone, Debug)]
pub struct BrandingSettings {
    pub name: String,
    pub logo_url: Option<String>,
    /// `#rrggbb`
    pub accent: String,
    pub support_url: Option<String>,
    pub policy_url: Option<String>,
    pub tos_url: Option<String>,
}

pub(super) fn read(reader: &mut Reader) -> Option<BrandingSettings> {
    let name = reader.parsed(branding::name, |text| match text.chars().count() {
        1..=60 => Ok(text.to_owned()),
        _ => Err(("it is empty or very long".to_owned(), "give a name of 1 to 60 characters".to_owned())),
    });
    let logo_url = reader.parsed(branding::logo_url, web_address);
    let accent = reader.parsed(branding::accent, colour);
    let support_url = reader.parsed(branding::support_url, web_address);
    let policy_url = reader.parsed(branding::policy_url, web_address);
    let tos_url = reader.parsed(branding::tos_url, web_address);
    Some(BrandingSettings {
        name: name?,
        logo_url: logo_url?,
        accent: accent?,
        support_url: support_url?,
        policy_url: policy_url?,
        tos_url: tos_url?,
    })
}

fn web_address(text: &str) -> Result<Option<String>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "https" | "http") => Ok(Some(url.into())),
        _ => Err((
            format!("\"{text}\" is not a web address"),
            "write a URL that starts with https://".to_owned(),
        )),
    }
}

fn colour(text: &str) -> Result<String, Refusal> {
    let digits = text.strip_prefix('#').unwrap_or_default();
    if digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err((format!("\"{text}\" is not a colour"), "write six hexadecimal digits like #1d4ed8".to_owned()))
}
