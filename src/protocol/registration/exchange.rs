//! Whose tokens a client may exchange, and for what (RFC 8693).

use crate::model::{Client, ClientExchange, GrantType};

/// Clients that one may be registered to take tokens of.
const MOST_CLIENTS: usize = 100;
/// Bytes of a `sub` (OpenID Connect Core 2).
const LONGEST_SUB: usize = 255;

/// Every problem of these members.
pub(super) fn check(client: &Client, complain: &mut impl FnMut(&'static str, String)) {
    let exchange = &client.exchange;
    if let Some(sub) = &exchange.may_act
        && (sub.is_empty() || sub.len() > LONGEST_SUB || !sub.bytes().all(|byte| byte.is_ascii_graphic()))
    {
        complain("may_act", "name one client_id or one user's id".into());
    }
    let clients = &exchange.token_exchange_clients;
    // RFC 8693 5: whoever may exchange everybody's tokens can speak for everybody.
    if exchange.takes_any() && !client.is_first_party() {
        let every = ClientExchange::EVERY_CLIENT;
        complain(
            "token_exchange_clients",
            format!("{every} is for the operator's own applications: set first_party"),
        );
    }
    let named =
        |id: &String| !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic());
    if clients.len() > MOST_CLIENTS || !clients.iter().all(named) {
        complain("token_exchange_clients", format!("name at most {MOST_CLIENTS} clients by their client_id"));
    }
    if client.may_use(GrantType::TokenExchange) {
        return;
    }
    for (member, is_set) in [
        ("token_exchange_policy", exchange.token_exchange_policy.is_some()),
        ("token_exchange_clients", !clients.is_empty()),
    ] {
        if is_set {
            complain(member, "it is for clients with the grant type token-exchange".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::protocol::registration;

    /// The members that are complained about when a client that exchanges tokens has these.
    fn problems(change: Value) -> Vec<&'static str> {
        let mut metadata = json!({
            "client_id": "app", "client_name": "App", "scope": "read", "client_id_issued_at": 0,
            "grant_types": ["urn:ietf:params:oauth:grant-type:token-exchange"],
            "token_endpoint_auth_method": "client_secret_basic",
        });
        metadata.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let client = crate::model::strict(metadata);
        registration::check(&client).iter().map(|problem| problem.member).collect()
    }

    #[test]
    fn a_client_that_exchanges_tokens_proves_who_it_is() {
        assert_eq!(problems(json!({})), [""; 0]);
        assert_eq!(problems(json!({"token_endpoint_auth_method": "none"})), ["grant_types"]);
    }

    #[test]
    fn every_clients_tokens_are_for_the_operators_applications() {
        assert_eq!(problems(json!({"token_exchange_clients": ["web", "mobile"]})), [""; 0]);
        let any = json!({"token_exchange_clients": ["*"]});
        assert_eq!(problems(any), ["token_exchange_clients"]);
        assert_eq!(problems(json!({"token_exchange_clients": ["*"], "first_party": true})), [""; 0]);
        for wrong in [json!([""]), json!(["a b"]), json!(vec!["a"; 101])] {
            assert_eq!(problems(json!({"token_exchange_clients": wrong})), ["token_exchange_clients"]);
        }
    }

    #[test]
    fn a_switch_without_the_grant_type_is_a_mistake() {
        let without = |member: &str, value: Value| {
            problems(json!({"grant_types": ["client_credentials"], member: value}))
        };
        assert_eq!(without("token_exchange_policy", json!("any")), ["token_exchange_policy"]);
        assert_eq!(without("token_exchange_clients", json!(["a"])), ["token_exchange_clients"]);
        // That is about its own tokens, whoever exchanges them.
        assert_eq!(without("may_act", json!("backend")), [""; 0]);
    }

    #[test]
    fn may_act_names_one_party() {
        for wrong in ["", "a b", &"a".repeat(256)] {
            assert_eq!(problems(json!({"may_act": wrong})), ["may_act"]);
        }
    }
}
