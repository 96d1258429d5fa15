//! Until when a certificate is valid: the one thing that we want to know of it and that rustls does not tell.

use x509_parser::parse_x509_certificate;

use crate::model::Timestamp;

/// `notAfter` of a certificate in DER (RFC 5280 4.1); none where it is not written as it should be.
pub(super) fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    Some(Timestamp::from_unix(certificate.validity().not_after.timestamp()))
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
        assert_eq!(not_after(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
