//! The text of an entry: one JSON object of what its event, its actor, its request and its process have to say.

use std::net::IpAddr;

use serde::Serialize;

use super::event::{Actor, Event};
use crate::model::TallyPlace;
use crate::request::{self, Facts};

/// No two of these have a member of the same name, so that all are written one after another.
#[derive(Serialize)]
struct Body<'a> {
    /// First: its name is taken from the front again.
    #[serde(flatten)]
    event: &'a Event<'a>,
    #[serde(flatten)]
    actor: &'a Actor,
    #[serde(flatten)]
    origin: Option<Origin<'a>>,
    #[serde(flatten)]
    place: Option<InProcess<'a>>,
}

/// Where the request came from.
#[derive(Serialize)]
struct Origin<'a> {
    address: IpAddr,
    request_id: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    user_agent: String,
}

/// Which of its process's entries this is.
#[derive(Serialize)]
struct InProcess<'a> {
    process: &'a str,
    sequence: i64,
    complete_to: i64,
}

/// What happened, by its name, and everything else that an entry says of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub event: String,
    pub body: String,
}

impl Told {
    pub(super) fn new(
        event: &Event<'_>,
        actor: &Actor,
        facts: Option<&Facts>,
        process: &str,
        place: Option<TallyPlace>,
    ) -> Self {
        let place = place.map(|TallyPlace { sequence, complete_to, .. }| InProcess {
            process,
            sequence,
            complete_to,
        });
        let body = Body { event, actor, origin: facts.map(Origin::of), place };
        serde_json::to_string(&body).ok().and_then(|text| Self::apart(&text)).unwrap_or_default()
    }

    /// The name has a column of its own.
    fn apart(text: &str) -> Option<Self> {
        let (event, rest) = text.strip_prefix(r#"{"event":""#)?.split_once('"')?;
        let members = rest.strip_prefix(',').unwrap_or(rest);
        Some(Self { event: event.to_owned(), body: format!("{{{members}") })
    }
}

impl<'a> Origin<'a> {
    fn of(facts: &'a Facts) -> Self {
        Self {
            address: facts.address,
            request_id: facts.id.as_str(),
            user_agent: request::bounded_user_agent(facts.user_agent.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, Method, Uri};
    use serde_json::json;

    use super::*;
    use crate::audit::Granted;
    use crate::model::{ClientId, GrantId, GrantType, ScopeSet, UserId};
    use crate::request::RequestId;

    fn facts() -> Facts {
        Facts {
            id: RequestId::from_header(&HeaderValue::from_static("r")).unwrap(),
            address: [192, 0, 2, 1].into(),
            user_agent: Some(HeaderValue::from_static("A \"browser\"")),
            method: Method::GET,
            uri: Uri::from_static("/authorize"),
        }
    }

    #[test]
    fn an_entry_has_every_member_once_and_its_name_apart() {
        let (user, client, grant) = (&UserId::new("u"), &ClientId::new("c"), &GrantId::new("g"));
        let scope: &ScopeSet = &"openid a".parse().unwrap();
        let granted = Granted { user, client, grant: Some(grant), session: None };
        let grant_type = GrantType::AuthorizationCode;
        let event = Event::GrantCreated { granted, grant_type, scope, resources: &[] };
        let place = TallyPlace { sequence: 7, complete_to: 5, ordinal: 9 };
        let told = Told::new(&event, &Actor::User, Some(&facts()), "p", Some(place));
        assert_eq!(told.event, "grant.created");
        let body: serde_json::Value = serde_json::from_str(&told.body).unwrap();
        let expected = json!({
            "user": "u", "client": "c", "grant": "g", "grant_type": "authorization_code", "scope": "openid a",
            "actor": "user", "address": "192.0.2.1", "request_id": "r", "user_agent": "A \"browser\"",
            "process": "p", "sequence": 7, "complete_to": 5,
        });
        assert_eq!(body, expected);
        assert_eq!(told.body.matches(':').count(), 12, "{}", told.body);
    }

    #[test]
    fn an_event_without_members_has_its_actors() {
        let operator = Actor::Operator { operator: "olga".to_owned() };
        let told = Told::new(&Event::AdminApiRefused, &operator, None, "p", None);
        let body = r#"{"actor":"operator","operator":"olga"}"#.to_owned();
        assert_eq!(told, Told { event: "admin_api.refused".to_owned(), body });
        let told = Told::apart(r#"{"event":"audit.complete"}"#).unwrap();
        assert_eq!(told, Told { event: "audit.complete".to_owned(), body: "{}".to_owned() });
    }
}
