//! The operator's accent colour, and what must be derived from it so that everything stays readable.

use std::fmt::Write;

/// WCAG 2.2, 1.4.3: text against its background.
const TEXT: f64 = 4.5;
/// WCAG 2.2, 1.4.11: the edge of a control against its surroundings.
const EDGE: f64 = 3.0;

/// `--well` of the light and the dark scheme, the surface nearest to the text: what is readable there is
/// readable on the others.
const LIGHT_WELL: Colour = Colour([0xf5, 0xf6, 0xf8]);
const DARK_WELL: Colour = Colour([0x24, 0x27, 0x2e]);

const BLACK: Colour = Colour([0, 0, 0]);
const WHITE: Colour = Colour([0xff, 0xff, 0xff]);

/// An sRGB colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour([u8; 3]);

impl Colour {
    /// Reads `#rgb` or `#rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text
            .strip_prefix('#')?
            .chars()
            .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
            .collect::<Option<_>>()?;
        match digits[..] {
            [r, g, b] => Some(Self([r * 17, g * 17, b * 17])),
            [r1, r2, g1, g2, b1, b2] => Some(Self([r1 * 16 + r2, g1 * 16 + g2, b1 * 16 + b2])),
            _ => None,
        }
    }

    fn luminance(self) -> f64 {
        let linear = self.0.map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    /// The contrast ratio of WCAG 2.2, from 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    /// White where it is readable, else black. One of the two always is.
    fn text_on(self) -> Self {
        if self.contrast(WHITE) >= TEXT { WHITE } else { BLACK }
    }

    /// The nearest colour on the way to `end` that has at least this contrast with the surface.
    fn towards(self, end: Self, surface: Self, ratio: f64) -> Self {
        let mix = |from: u8, to: u8, step: u16| {
            let mixed = (u16::from(from) * (100 - step) + u16::from(to) * step) / 100;
            u8::try_from(mixed).unwrap_or(to)
        };
        (0..=100)
            .map(|step| Self(std::array::from_fn(|i| mix(self.0[i], end.0[i], step))))
            .find(|mixed| mixed.contrast(surface) >= ratio)
            .unwrap_or(end)
    }

    fn hex(self) -> String {
        let [r, g, b] = self.0;
        format!("#{r:02x}{g:02x}{b:02x}")
    }
}

/// The custom properties the stylesheet takes its accent from, for both colour schemes.
pub(super) fn properties(accent: Colour) -> String {
    let light = scheme(accent, BLACK, LIGHT_WELL);
    let dark = scheme(accent, WHITE, DARK_WELL);
    format!(":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n")
}

fn scheme(accent: Colour, end: Colour, surface: Colour) -> String {
    let mut css = String::new();
    for (name, colour) in [
        ("accent", accent),
        ("on-accent", accent.text_on()),
        ("accent-edge", accent.towards(end, surface, EDGE)),
        ("accent-ink", accent.towards(end, surface, TEXT)),
    ] {
        // Writing to a String cannot fail.
        let _ = write!(css, "--{name}:{};", colour.hex());
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hex_colours_are_read() {
        assert_eq!(Colour::parse("#fff"), Some(WHITE));
        assert_eq!(Colour::parse("#0A0b0c").unwrap().hex(), "#0a0b0c");
        for bad in ["", "#", "red", "#12345", "#ff00zz", "#fff;}body{display:none", "123456", "#ÄÖÜ"] {
            assert_eq!(Colour::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        assert!((BLACK.contrast(WHITE) - 21.0).abs() < 0.01);
        let grey = Colour::parse("#767676").unwrap();
        assert!((grey.contrast(WHITE) - 4.54).abs() < 0.01);
    }

    #[test]
    fn every_accent_colour_stays_readable() {
        let channels = (0..=255u8).step_by(17);
        for r in channels.clone() {
            for g in channels.clone() {
                for b in channels.clone() {
                    let accent = Colour([r, g, b]);
                    assert!(accent.contrast(accent.text_on()) >= TEXT, "{accent:?}");
                    for (end, surface) in [(BLACK, LIGHT_WELL), (WHITE, DARK_WELL)] {
                        assert!(accent.towards(end, surface, TEXT).contrast(surface) >= TEXT);
                        assert!(accent.towards(end, surface, EDGE).contrast(surface) >= EDGE);
                    }
                }
            }
        }
    }

    const STYLESHEET: &str = include_str!("../../templates/assets/chancery.css");

    fn property(scheme: &str, name: &str) -> Colour {
        let value = scheme.split(&format!("--{name}: ")).nth(1).and_then(|rest| rest.split(';').next());
        Colour::parse(value.unwrap()).unwrap()
    }

    #[test]
    fn the_stylesheet_is_readable_in_both_schemes() {
        let (light, dark) = STYLESHEET.split_once("prefers-color-scheme: dark").unwrap();
        assert_eq!((property(light, "well"), property(dark, "well")), (LIGHT_WELL, DARK_WELL));
        for scheme in [light, dark] {
            for background in ["page", "surface", "well", "danger-well", "caution-well"] {
                let background = property(scheme, background);
                assert!(property(scheme, "ink").contrast(background) >= 7.0);
            }
            for background in ["page", "surface", "well"] {
                let background = property(scheme, background);
                assert!(property(scheme, "quiet").contrast(background) >= TEXT);
                assert!(property(scheme, "edge").contrast(background) >= EDGE);
                assert!(property(scheme, "danger").contrast(background) >= EDGE);
            }
            assert!(property(scheme, "caution-line").contrast(property(scheme, "surface")) >= EDGE);
        }
    }
}
