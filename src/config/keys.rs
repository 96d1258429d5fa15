//! Which signing keys there are, and when one follows another.

use std::collections::BTreeSet;

use super::reader::Reader;
use super::reader::algorithm;
use super::table::keys;
use crate::model::Algorithm;

#[derive(Clone, Debug)]
pub struct KeySettings {
    pub algorithms: Vec<Algorithm>,
    pub publish_seconds: i64,
    /// None: by command only.
    pub rotate_every_seconds: Option<i64>,
    /// How long after it left the JWK Set a key still verifies hints.
    pub hint_seconds: i64,
}

pub(super) fn read(reader: &mut Reader) -> Option<KeySettings> {
    let algorithms = reader.list(keys::algorithms, algorithm);
    let publish_seconds = reader.seconds(keys::publish_seconds);
    let hint_seconds = reader.seconds(keys::hint_seconds);
    let rotate_every_seconds = reader.lifetime(keys::rotate_every_seconds);
    if let (Some(publish), Some(Some(every))) = (publish_seconds, rotate_every_seconds)
        && every <= publish
    {
        let remedy = "give more seconds than keys.publish_seconds, or -1 for never".to_owned();
        let problem = "a key would be replaced before it has signed".to_owned();
        reader.refuse(keys::rotate_every_seconds.key, problem, remedy);
    }
    if let Some(list) = &algorithms {
        let names: BTreeSet<&str> = list.iter().map(|algorithm| algorithm.as_str()).collect();
        if list.is_empty() || names.len() != list.len() {
            let remedy =
                "name each of ES256, ES384, RS256, PS256, EdDSA at most once, and at least one".to_owned();
            reader.refuse(keys::algorithms.key, "it is empty or names an algorithm twice".to_owned(), remedy);
        }
    }
    Some(KeySettings {
        algorithms: algorithms?,
        publish_seconds: publish_seconds?,
        rotate_every_seconds: rotate_every_seconds?,
        hint_seconds: hint_seconds?,
    })
}
