//! The examples of the standards, and every way of encrypting opened again by other means.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey,
    PrivateDecryptingKey,
};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{DecryptionKey, Payload, Recipient, agreement, content, encrypt, shared_key, unwrap};
use crate::crypto::jwks::KeySet;
use crate::crypto::master_key::MasterKey;
use crate::model::{ContentEncryption, Encryption, KeyManagement};

/// RFC 7520 figure 72.
const FRODO: &str = "You can trust us to stick with you through thick and thin\u{2013}to the bitter end. And you can \
    trust us to keep any secret of yours\u{2013}closer than you keep it yourself. But you cannot trust us to let you \
    face trouble alone, and go off without a word. We are your friends, Frodo.";

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn header(token: &str) -> Value {
    serde_json::from_slice(&decoded(token.split('.').next().unwrap())).unwrap()
}

/// The last three parts.
fn sealed(token: &str) -> content::Sealed {
    let parts: Vec<Vec<u8>> = token.split('.').skip(2).map(decoded).collect();
    let [iv, ciphertext, tag] = parts.try_into().unwrap();
    content::Sealed { iv, ciphertext, tag }
}

/// Every combination of these with every `enc`.
fn with_every_enc(algorithms: &[KeyManagement]) -> Vec<Encryption> {
    let all =
        algorithms.iter().flat_map(|alg| ContentEncryption::ALL.map(|enc| Encryption { alg: *alg, enc }));
    all.collect()
}

fn own_key() -> DecryptionKey {
    DecryptionKey::derive_all(&MasterKey::parse(&MasterKey::generate()).unwrap()).unwrap().remove(0)
}

fn set_of(jwk: &Value) -> KeySet {
    KeySet::read(&json!({ "keys": [jwk] })).unwrap()
}

#[test]
fn the_key_agreement_of_rfc_7518_appendix_c() {
    let alice = decoded("0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo");
    let alice = PrivateKey::from_private_key(&ECDH_P256, &alice).unwrap();
    let bob = json!({"kty": "EC", "crv": "P-256", "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
        "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"});
    let (curve, point) = agreement::point(&bob).unwrap();
    let encryption = Encryption { alg: KeyManagement::EcdhEs, enc: ContentEncryption::A128Gcm };
    let key = agreement::agree(&alice, curve, &point, encryption, b"Alice", b"Bob").unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(&*key), "VqqN6vgjbSBcIijNcacQGg");
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|digit| !digit.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// RFC 7518 appendix B: the same text under a key of 0, 1, 2 ...
#[track_caller]
fn assert_kerckhoffs(enc: ContentEncryption, ciphertext: &str, tag: &str) {
    let key: Vec<u8> = (0..u8::try_from(enc.key_length()).unwrap()).collect();
    let sealed = content::Sealed {
        iv: hex("1af38c2dc2b96ffdd86694092341bc04"),
        ciphertext: hex(ciphertext),
        tag: hex(tag),
    };
    let aad = b"The second principle of Auguste Kerckhoffs";
    let plain = content::open(enc, &key, aad, sealed).unwrap();
    assert_eq!(
        std::str::from_utf8(&plain).unwrap(),
        "A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy \
         without inconvenience"
    );
}

#[test]
fn the_content_encryption_of_rfc_7518_appendix_b_1() {
    assert_kerckhoffs(
        ContentEncryption::A128CbcHs256,
        "c80edfa32ddf39d5ef00c0b468834279 a2e46a1b8049f792f76bfe54b903a9c9
         a94ac9b47ad2655c5f10f9aef71427e2 fc6f9b3f399a221489f16362c7032336
         09d45ac69864e3321cf82935ac4096c8 6e133314c54019e8ca7980dfa4b9cf1b
         384c486f3a54c51078158ee5d79de59f bd34d848b3d69550a67646344427ade5
         4b8851ffb598f7f80074b9473c82e2db",
        "652c3fa36b0a7c5b3219fab3a30bc1c4",
    );
}

#[test]
fn the_content_encryption_of_rfc_7518_appendix_b_3() {
    assert_kerckhoffs(
        ContentEncryption::A256CbcHs512,
        "4affaaadb78c31c5da4b1b590d10ffbd 3dd8d5d302423526912da037ecbcc7bd
         822c301dd67c373bccb584ad3e9279c2 e6d12a1374b77f077553df829410446b
         36ebd97066296ae6427ea75c2e0846a1 1a09ccf5370dc80bfecbad28c73f09b3
         a3b75e662a2594410ae496b2e2e6609e 31e6e02cc837f053d21f37ff4f51950b
         be2638d09dd7a4930930806d0703b1f6",
        "4dd3b4c088a7f45c216839645b2012bf 2e6269a8c56a816dbc1b267761955bc5",
    );
}

#[test]
fn the_jwe_of_rfc_7516_appendix_a_3() {
    let token = "eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0\
        .6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ.AxY8DCtDaGlsbGljb3RoZQ\
        .KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY.U0m_YmjN04DJvceFICbCVQ";
    let (head, rest) = token.split_once('.').unwrap();
    let wrapped = decoded(rest.split('.').next().unwrap());
    let key = unwrap(&decoded("GawgguFyGrWKav7AX4VKUg"), &wrapped).unwrap();
    let plain = content::open(ContentEncryption::A128CbcHs256, &key, head.as_bytes(), sealed(token)).unwrap();
    assert_eq!(&**plain, b"Live long and prosper.");
}

#[test]
fn the_jwe_of_rfc_7520_section_5_4() {
    let key = DecryptionKey::from_jwk(&json!({"kty": "EC", "kid": "peregrin.took@tuckborough.example",
        "crv": "P-384", "d": "iTx2pk7wW-GqJkHcEkFQb2EFyYcO7RugmaW3mRrQVAOUiPommT0IdnYK2xDlZh-j"}));
    let token = "eyJhbGciOiJFQ0RILUVTK0ExMjhLVyIsImtpZCI6InBlcmVncmluLnRvb2tAdHVja2Jvcm91Z2guZXhhbXBsZSIsImVwayI6ey\
        JrdHkiOiJFQyIsImNydiI6IlAtMzg0IiwieCI6InVCbzRrSFB3Nmtiang1bDB4b3dyZF9vWXpCbWF6LUdLRlp1NHhBRkZrYllpV2d1dEVLNm\
        l1RURzUTZ3TmROZzMiLCJ5Ijoic3AzcDVTR2haVkMyZmFYdW1JLWU5SlUyTW84S3BvWXJGRHI1eVBOVnRXNFBnRXdaT3lRVEEtSmRhWTh0Yj\
        dFMCJ9LCJlbmMiOiJBMTI4R0NNIn0.0DJjBXri_kBcC46IkU5_Jk9BqaQeHdv2.mH-G2zVqgztUtnW_.tkZuOO9h95OgHJmkkrfLBisku8rG\
        f6nzVxhRM3sVOhXgz5NJ76oID7lpnAi_cPWJRCjSpAaUZ5dOR3Spy7QuEkmKx8-3RCMhSYMzsXaEwDdXta9Mn5B7cCBoJKB0IgEnj_qfo1hI\
        i-uEkUpOZ8aLTZGHfpl05jMwbKkTe2yK3mjF6SBAsgicQDVCkcY9BLluzx1RmC3ORXaM0JaHPB93YcdSDGgpgBWMVrNU1ErkjcMqMoT_wtCe\
        x3w03XdLkjXIuEr2hWgeP-nkUZTPU9EoGSPj6fAS-bSz87RCPrxZdj_iVyC6QWcqAu07WNhjzJEPc4jVntRJ6K53NgPQ5p99l3Z408OUqj4i\
        oYezbS6vTPlQ.WuGzxmcreYjpHGJoa17EBg";
    assert_eq!(&**key.decrypt(token).unwrap().plain, FRODO.as_bytes());
}

#[test]
fn the_jwe_of_rfc_7520_section_5_5() {
    let key = DecryptionKey::from_jwk(&json!({"kty": "EC", "kid": "meriadoc.brandybuck@buckland.example",
        "crv": "P-256", "d": "r_kHyZ-a06rmxM3yESK84r1otSg-aQcVStkRhA-iCM8"}));
    let token = "eyJhbGciOiJFQ0RILUVTIiwia2lkIjoibWVyaWFkb2MuYnJhbmR5YnVja0BidWNrbGFuZC5leGFtcGxlIiwiZXBrIjp7Imt0eS\
        I6IkVDIiwiY3J2IjoiUC0yNTYiLCJ4IjoibVBVS1RfYkFXR0hJaGcwVHBqanFWc1AxclhXUXVfdndWT0hIdE5rZFlvQSIsInkiOiI4QlFBc0\
        ltR2VBUzQ2ZnlXdzVNaFlmR1RUMElqQnBGdzJTUzM0RHY0SXJzIn0sImVuYyI6IkExMjhDQkMtSFMyNTYifQ..yc9N8v5sYyv3iGQT926IUg\
        .BoDlwPnTypYq-ivjmQvAYJLb5Q6l-F3LIgQomlz87yW4OPKbWE1zSTEFjDfhU9IPIOSA9Bml4m7iDFwA-1ZXvHteLDtw4R1XRGMEsDIqAYt\
        skTTmzmzNa-_q4F_evAPUmwlO-ZG45Mnq4uhM1fm_D9rBtWolqZSF3xGNNkpOMQKF1Cl8i8wjzRli7-IXgyirlKQsbhhqRzkv8IcY6aHl24j\
        03C-AR2le1r7URUhArM79BY8soZU0lzwI-sD5PZ3l4NDCCei9XkoIAfsXJWmySPoeRb2Ni5UZL4mYpvKDiwmyzGd65KqVw7MsFfI_K767G9C\
        9Azp73gKZD0DyUn1mn0WW5LmyX_yJ-3AROq8p1WZBfG-ZyJ6195_JGG2m9Csg.WCCkNa-x4BeB9hIDIfFuhg";
    assert_eq!(&**key.decrypt(token).unwrap().plain, FRODO.as_bytes());
}

#[test]
fn what_is_encrypted_to_a_curve_key_opens_with_it() {
    let key = own_key();
    let set = set_of(key.jwk());
    for encryption in with_every_enc(&KeyManagement::AGREEMENT) {
        let public = set.encryption_key(encryption.alg).unwrap();
        let token = encrypt(encryption, &Recipient::Public(public), Payload::Jwt, b"a.b.c").unwrap();
        let opened = key.decrypt(&token).unwrap();
        assert_eq!((&**opened.plain, opened.encryption), (&b"a.b.c"[..], encryption));
        assert_eq!(opened.cty.as_deref(), Some("JWT"));
        let header = header(&token);
        assert_eq!((&header["alg"], &header["enc"]), (&json!(encryption.alg), &json!(encryption.enc)));
        assert_eq!((&header["cty"], &header["kid"]), (&json!("JWT"), &key.jwk()["kid"]));
        assert!(own_key().decrypt(&token).is_none());
    }
}

#[test]
fn what_is_encrypted_to_an_rsa_key_opens_with_it() {
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let encode = |number: aws_lc_rs::io::Positive<'_>| {
        URL_SAFE_NO_PAD.encode(number.big_endian_without_leading_zero())
    };
    let public = pair.public_key();
    let jwk = json!({"kty": "RSA", "n": encode(public.modulus()), "e": encode(public.exponent())});
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let set = set_of(&jwk);
    for encryption in with_every_enc(&[KeyManagement::RsaOaep, KeyManagement::RsaOaep256]) {
        let public = set.encryption_key(encryption.alg).unwrap();
        let token = encrypt(encryption, &Recipient::Public(public), Payload::Claims, b"{}").unwrap();
        assert_eq!(header(&token).get("cty"), None);
        let private = PrivateDecryptingKey::from_pkcs8(der.as_ref()).unwrap();
        let padding = match encryption.alg {
            KeyManagement::RsaOaep => &OAEP_SHA1_MGF1SHA1,
            _ => &OAEP_SHA256_MGF1SHA256,
        };
        let (head, rest) = token.split_once('.').unwrap();
        let wrapped = decoded(rest.split('.').next().unwrap());
        let mut key = vec![0; wrapped.len()];
        let opener = OaepPrivateDecryptingKey::new(private).unwrap();
        let key = opener.decrypt(padding, &wrapped, &mut key, None).unwrap();
        let plain = content::open(encryption.enc, key, head.as_bytes(), sealed(&token)).unwrap();
        assert_eq!(&**plain, b"{}", "{encryption:?}");
    }
}

#[test]
fn what_is_encrypted_with_a_shared_secret_opens_with_it() {
    let symmetric = [KeyManagement::A128Kw, KeyManagement::A256Kw, KeyManagement::Direct];
    for encryption in with_every_enc(&symmetric) {
        let key = shared_key(b"a secret", encryption.shared_key_length());
        let token = encrypt(encryption, &Recipient::Shared(&key), Payload::Claims, b"{}").unwrap();
        let (head, rest) = token.split_once('.').unwrap();
        let wrapped = decoded(rest.split('.').next().unwrap());
        let content_key = match encryption.alg {
            KeyManagement::Direct => key,
            _ => unwrap(&key, &wrapped).unwrap(),
        };
        let plain = content::open(encryption.enc, &content_key, head.as_bytes(), sealed(&token)).unwrap();
        assert_eq!(&**plain, b"{}", "{encryption:?}");
    }
}

#[test]
fn a_key_of_another_kind_encrypts_nothing() {
    let key = own_key();
    let set = set_of(key.jwk());
    let public = set.encryption_key(KeyManagement::EcdhEs).unwrap();
    for alg in [KeyManagement::RsaOaep, KeyManagement::RsaOaep256, KeyManagement::Direct] {
        assert!(set.encryption_key(alg).is_none());
        let encryption = Encryption { alg, enc: ContentEncryption::A128Gcm };
        assert!(encrypt(encryption, &Recipient::Public(public), Payload::Claims, b"{}").is_err());
    }
    for alg in [KeyManagement::EcdhEs, KeyManagement::RsaOaep, KeyManagement::A256Kw, KeyManagement::Direct] {
        let encryption = Encryption { alg, enc: ContentEncryption::A256Gcm };
        assert!(encrypt(encryption, &Recipient::Shared(&[1; 16]), Payload::Claims, b"{}").is_err(), "{alg}");
    }
}

#[test]
fn a_changed_byte_anywhere_opens_nothing() {
    let key = own_key();
    let set = set_of(key.jwk());
    for encryption in with_every_enc(&[KeyManagement::EcdhEsA256Kw]) {
        let public = set.encryption_key(encryption.alg).unwrap();
        let token = encrypt(encryption, &Recipient::Public(public), Payload::Claims, b"{}").unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        for at in 0..parts.len() {
            let mut bytes = decoded(parts[at]);
            for changed in 0..bytes.len() {
                bytes[changed] ^= 1;
                let mut forged: Vec<String> = parts.iter().map(ToString::to_string).collect();
                forged[at] = URL_SAFE_NO_PAD.encode(&bytes);
                assert!(
                    key.decrypt(&forged.join(".")).is_none(),
                    "{encryption:?}, part {at}, byte {changed}"
                );
                bytes[changed] ^= 1;
            }
            let shorter = parts.iter().enumerate().map(|(each, part)| if each == at { "" } else { part });
            assert!(key.decrypt(&shorter.collect::<Vec<_>>().join(".")).is_none());
        }
        assert!(key.decrypt(&format!("{token}.")).is_none());
        assert!(key.decrypt(&parts[..4].join(".")).is_none());
    }
}

/// A JWE to this key whose header has these members too.
fn with_header(key: &DecryptionKey, more: &Value) -> String {
    let ephemeral = PrivateKey::generate(&ECDH_P256).unwrap();
    let encryption = Encryption { alg: KeyManagement::EcdhEs, enc: ContentEncryption::A128Gcm };
    let (curve, point) = agreement::point(key.jwk()).unwrap();
    let agreed = agreement::agree(&ephemeral, curve, &point, encryption, &[], &[]).unwrap();
    let mut header = json!({"alg": "ECDH-ES", "enc": "A128GCM", "epk": agreement::jwk(&ephemeral).unwrap()});
    header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let head = URL_SAFE_NO_PAD.encode(header.to_string());
    let sealed = content::seal(encryption.enc, &agreed, head.as_bytes(), b"{}").unwrap();
    let [iv, ciphertext, tag] =
        [sealed.iv, sealed.ciphertext, sealed.tag].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{head}..{iv}.{ciphertext}.{tag}")
}

#[test]
fn a_header_that_asks_for_more_than_is_understood_opens_nothing() {
    let key = own_key();
    for harmless in
        [json!({}), json!({"cty": "JWT", "typ": "JWT", "iss": "x"}), json!({"kid": key.jwk()["kid"]})]
    {
        assert!(key.decrypt(&with_header(&key, &harmless)).is_some(), "{harmless}");
    }
    for more in
        [json!({"zip": "DEF"}), json!({"crit": ["b64"]}), json!({"alg": "RSA1_5"}), json!({"kid": "x"})]
    {
        assert!(key.decrypt(&with_header(&key, &more)).is_none(), "{more}");
    }
}

#[test]
fn a_public_key_that_is_no_point_of_the_curve_agrees_on_nothing() {
    let private = PrivateKey::generate(&ECDH_P256).unwrap();
    let encryption = Encryption { alg: KeyManagement::EcdhEs, enc: ContentEncryption::A128Gcm };
    let own = agreement::jwk(&private).unwrap();
    let agreed = |jwk: &Value| {
        let (curve, point) = agreement::point(jwk).unwrap();
        agreement::agree(&private, curve, &point, encryption, &[], &[]).is_some()
    };
    assert!(agreed(&own));
    assert!(!agreed(&json!({"kty": "EC", "crv": "P-256", "x": own["y"], "y": own["x"]})));
    assert!(!agreed(&json!({"kty": "OKP", "crv": "X25519", "x": own["x"]})));
}

#[test]
fn every_replica_derives_the_same_key() {
    let text = MasterKey::generate();
    let derive = || DecryptionKey::derive_all(&MasterKey::parse(&text).unwrap()).unwrap()[0].jwk().clone();
    assert_eq!(derive(), derive());
    assert_ne!(derive(), *own_key().jwk());
    assert_eq!(derive()["use"], "enc");
    assert_eq!(derive().get("d"), None);
}
