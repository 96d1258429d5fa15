//! Until when a certificate is valid: the one thing that we want to know of it and that rustls does not tell.

use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use crate::model::Timestamp;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0]`, constructed.
const VERSION: u8 = 0xa0;

/// `notAfter` of a certificate in DER (RFC 5280 4.1); none where it is not written as it should be.
pub(super) fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = expect(SEQUENCE, certificate)?;
    let (to_be_signed, _) = expect(SEQUENCE, certificate)?;
    let rest = expect(VERSION, to_be_signed).map_or(to_be_signed, |(_, rest)| rest);
    let (_serial_number, rest) = expect(INTEGER, rest)?;
    let (_signature, rest) = expect(SEQUENCE, rest)?;
    let (_issuer, rest) = expect(SEQUENCE, rest)?;
    let (validity, _) = expect(SEQUENCE, rest)?;
    let (_, _not_before, rest) = element(validity)?;
    let (tag, not_after, _) = element(rest)?;
    moment(tag, std::str::from_utf8(not_after).ok()?)
}

/// RFC 5280 4.1.2.5: two digits of the year until 2049, four from 2050 on; always with seconds, always in UTC.
fn moment(tag: u8, text: &str) -> Option<Timestamp> {
    let text = match tag {
        UTC_TIME if text.get(..2)? >= "50" => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let format = format_description!("[year][month][day][hour][minute][second]Z");
    let at: OffsetDateTime = PrimitiveDateTime::parse(&text, format).ok()?.assume_utc();
    Some(Timestamp::from_unix(at.unix_timestamp()))
}

/// The content of the first element, if it is of this tag, and what follows it.
fn expect(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(input)?;
    (found == tag).then_some((content, rest))
}

/// Tag, content, and what follows.
fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::pki_types::CertificateDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;

    use super::*;

    fn fixture(name: &str) -> CertificateDer<'static> {
        let path = format!("{}/tests/it/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"));
        CertificateDer::from_pem_file(path).unwrap()
    }

    #[test]
    fn the_end_is_read_in_both_spellings() {
        assert_eq!(not_after(&fixture("first.pem")), Some(Timestamp::from_unix(4_670_438_400)));
        assert_eq!(not_after(&fixture("expired.pem")), Some(Timestamp::from_unix(1_580_515_200)));
        assert_eq!(moment(UTC_TIME, "491231235959Z"), Some(Timestamp::from_unix(2_524_607_999)));
        assert_eq!(moment(UTC_TIME, "500101000000Z"), Some(Timestamp::from_unix(-631_152_000)));
        for text in ["", "4912312359Z", "491231235959+0100", "491331235959Z", "äöü"] {
            assert_eq!(moment(UTC_TIME, text), None, "{text}");
        }
    }

    #[test]
    fn what_is_cut_short_or_something_else_has_no_end() {
        let whole = fixture("first.pem");
        for length in 0..whole.len() {
            assert_eq!(not_after(&whole[..length]), None, "the outermost length is not met");
        }
        for place in 0..whole.len() {
            let mut changed = whole.to_vec();
            changed[place] ^= 0xff;
            let _ = not_after(&changed);
        }
        assert_eq!(not_after(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
