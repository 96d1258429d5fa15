//! `[sessions]`: how long a sign-in lasts.

use super::database::DatabaseSettings;
use super::reader::Reader;
use super::table::{database, sessions};

#[derive(Clone, Debug)]
pub struct SessionSettings {
    pub lifetime_seconds: i64,
    pub idle_seconds: i64,
    pub request_seconds: i64,
    /// Sessions of one user.
    pub max_per_user: i64,
    pub expiry_signs_out: bool,
    /// Whether access for offline use outlives the session it was given in.
    pub offline_access_stays: bool,
}

pub(super) fn read(reader: &mut Reader, database: Option<&DatabaseSettings>) -> Option<SessionSettings> {
    let lifetime = reader.seconds(sessions::lifetime_seconds);
    let idle = reader.seconds(sessions::idle_seconds);
    let request = reader.seconds(sessions::request_seconds);
    let max_per_user = reader.number(sessions::max_per_user);
    let expiry_signs_out = reader.boolean(sessions::expiry_signs_out);
    let offline_access_stays = reader.boolean(sessions::offline_access_stays);
    // A grant that is gone sooner could be made again by sending its consent form twice.
    let kept = database.map(|database| database.ended_kept_seconds);
    if let Some((kept, request)) = kept.zip(request).filter(|(kept, request)| kept < request) {
        let problem = format!("{kept} is less than sessions.request_seconds, {request}");
        reader.refuse(database::ended_kept_seconds.key, problem, format!("write {request} or more"));
    }
    Some(SessionSettings {
        lifetime_seconds: lifetime?,
        idle_seconds: idle?,
        request_seconds: request?,
        max_per_user: max_per_user?,
        expiry_signs_out: expiry_signs_out?,
        offline_access_stays: offline_access_stays?,
    })
}
