//! What a person calls the browser behind a `User-Agent` header: good enough to recognise one's own.

use crate::site::i18n::Messages;

/// The first mark that is found wins: Edge and Opera also say Chrome, and Chrome also says Safari.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Windows", "Windows"),
    ("Linux", "Linux"),
];

/// Such as "Firefox on Linux".
pub(super) fn describe(text: &Messages, user_agent: Option<&str>) -> String {
    let found = recognise(text, user_agent.unwrap_or_default());
    found.unwrap_or_else(|| text.get("browser.unknown").to_owned())
}

/// The same for what may be no browser at all. Nothing of the header itself gets on the page.
pub(super) fn recognise(text: &Messages, header: &str) -> Option<String> {
    let find = |marks: &[(&str, &'static str)]| {
        marks.iter().find(|(mark, _)| header.contains(mark)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => {
            Some(text.with("browser.on", &[("browser", browser), ("system", system)]))
        }
        (Some(name), None) | (None, Some(name)) => Some(name.to_owned()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::i18n::choose;

    #[test]
    fn common_browsers_are_recognised() {
        let english = choose(None, None);
        let name = |header| describe(english, Some(header));
        assert_eq!(
            name("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
            "Firefox on Linux"
        );
        assert_eq!(
            name(
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"
            ),
            "Edge on Windows"
        );
        assert_eq!(
            name("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1"),
            "Safari on iPhone"
        );
        assert_eq!(name("curl/8.5"), "Unknown browser");
        assert_eq!(describe(english, None), "Unknown browser");
    }
}
