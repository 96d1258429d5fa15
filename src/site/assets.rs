//! The stylesheet and the script, made once at start and named after their contents, so that a
//! browser may keep them for ever.

use super::colour::{self, Colour};
use super::prepared::Prepared;
use crate::crypto::digest;

const STYLESHEET: &str = include_str!("../../templates/assets/chancery.css");
const CHECK_SESSION: &str = include_str!("../../templates/assets/check_session.js");
const SCRIPT: &str = include_str!("../../templates/assets/chancery.js");

/// The `Cache-Control` of every asset: the name changes when the contents do.
pub(crate) const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// A file served below `/assets/`.
#[derive(Debug, Clone)]
pub struct Asset {
    /// The file name with its hash, for example `chancery-1f2e3d4c.css`.
    pub name: String,
    pub document: Prepared,
}

impl Asset {
    fn new(extension: &str, content_type: &'static str, contents: String) -> Self {
        let hash: String =
            digest::sha256(contents.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        Self { name: format!("chancery-{hash}.{extension}"), document: Prepared::new(content_type, contents) }
    }
}

#[derive(Debug, Clone)]
pub struct Assets {
    pub stylesheet: Asset,
    pub script: Asset,
    /// For the frames of applications (`session_state.rs`).
    pub check_session: Asset,
}

impl Assets {
    pub fn new(accent: Colour) -> Self {
        let stylesheet = colour::properties(accent) + STYLESHEET;
        Self {
            stylesheet: Asset::new("css", "text/css; charset=utf-8", stylesheet),
            script: Asset::new("js", "text/javascript; charset=utf-8", SCRIPT.to_owned()),
            check_session: Asset::new("js", "text/javascript; charset=utf-8", CHECK_SESSION.to_owned()),
        }
    }

    /// The asset of this file name (what follows `/assets/`).
    pub fn find(&self, name: &str) -> Option<&Asset> {
        [&self.stylesheet, &self.script, &self.check_session].into_iter().find(|asset| asset.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_follows_the_contents() {
        let blue = Assets::new(Colour::parse("#00f").unwrap());
        let red = Assets::new(Colour::parse("#f00").unwrap());
        assert_ne!(blue.stylesheet.name, red.stylesheet.name);
        assert_eq!(blue.script.name, red.script.name);
        assert_eq!(
            blue.find(&blue.stylesheet.name).unwrap().document.plain(),
            blue.stylesheet.document.plain()
        );
        assert!(blue.find("chancery.css").is_none());
    }

    #[test]
    fn a_page_with_its_assets_stays_small() {
        let assets = Assets::new(Colour::parse("#00f").unwrap());
        assert!(assets.stylesheet.document.plain().len() + assets.script.document.plain().len() < 14_000);
    }
}
