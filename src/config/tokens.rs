//! `[tokens]`: how long tokens live, and what signs them.

use super::keys::KeySettings;
use super::kinds::{Choice, Setting};
use super::reader::Reader;
use super::table::tokens;
use crate::model::Algorithm;

/// Lifetimes in seconds; `None` means never.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    pub authorization_code_seconds: i64,
    pub device_code_seconds: i64,
    pub access_token_seconds: i64,
    pub id_token_seconds: i64,
    pub refresh_token_seconds: Option<i64>,
    pub refresh_token_idle_seconds: Option<i64>,
    pub refresh_grace_seconds: i64,
    pub access_token_alg: Algorithm,
    pub id_token_alg: Algorithm,
}

pub(super) fn read(reader: &mut Reader, keys: Option<&KeySettings>) -> Option<TokenSettings> {
    let code = reader.seconds(tokens::authorization_code_seconds);
    let device_code = reader.seconds(tokens::device_code_seconds);
    let access = reader.seconds(tokens::access_token_seconds);
    let id = reader.seconds(tokens::id_token_seconds);
    let refresh = reader.lifetime(tokens::refresh_token_seconds);
    let idle = reader.lifetime(tokens::refresh_token_idle_seconds);
    let grace = reader.seconds(tokens::refresh_grace_seconds);
    let mut signing = |setting: Setting<Choice>| {
        let key = setting.key;
        let chosen: Algorithm = reader.choice(setting)?;
        if keys.is_some_and(|keys| !keys.algorithms.contains(&chosen)) {
            let remedy = format!("add {chosen:?} to keys.algorithms, or choose one that is there");
            reader.refuse(key, format!("there is no signing key for {chosen:?}"), remedy);
        }
        Some(chosen)
    };
    let access_token_alg = signing(tokens::access_token_alg);
    let id_token_alg = signing(tokens::id_token_alg);
    Some(TokenSettings {
        authorization_code_seconds: code?,
        device_code_seconds: device_code?,
        access_token_seconds: access?,
        id_token_seconds: id?,
        refresh_token_seconds: refresh?,
        refresh_token_idle_seconds: idle?,
        refresh_grace_seconds: grace?,
        access_token_alg: access_token_alg?,
        id_token_alg: id_token_alg?,
    })
}
