//! What has to happen before a code may be issued (OpenID Connect Core 3.1.2.3, 3.1.2.4): choose an account, sign in,
//! consent, or nothing.

use super::claims::ACR_SINGLE_FACTOR;
use super::error::{ErrorCode, OAuthError};
use super::redirect_uri;
use crate::model::{
    Allowed, AuthorizationRequest, Client, ConsentPolicy, Means, NewAccess, Prompt, ResponseType, Timestamp,
};

/// What is known about the person at the browser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation<'a> {
    pub person: Person,
    /// What the user allowed this client before.
    pub consented: Option<&'a Allowed>,
    pub assurance: Assurance,
    /// Whether the person has just said yes to this very request.
    pub decided: bool,
    pub now: Timestamp,
}

/// Who is at the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Person {
    /// The one whom the request is about: see [`super::account`].
    Known {
        /// When their session last saw a proof of identity.
        auth_time: Timestamp,
        /// How they were decided on for this very request. Signing in for it satisfies whatever it asks.
        by: Option<Means>,
    },
    /// One of several accounts, and nothing says which.
    ToBeChosen,
    /// Not the one whom the answer has to be about.
    Another,
    Unknown,
}

/// Whether the sign-in is as the request insists on: `acr` as an essential claim (OpenID Connect Core 5.5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assurance {
    Met,
    /// Signing in may make it so.
    WithinReach,
    OutOfReach,
}

impl Assurance {
    /// Of a person with this `acr`, or of nobody yet. `ours` tells whether our own pages would sign them in, which know one
    /// way to do it.
    pub(crate) fn of(
        request: &AuthorizationRequest,
        acr: Option<&str>,
        by: Option<Means>,
        ours: bool,
    ) -> Self {
        let essential = &request.essential_acr;
        let fits = |acr: &str| essential.is_empty() || essential.iter().any(|wanted| wanted == acr);
        if acr.map_or(essential.is_empty(), fits) {
            return Self::Met;
        }
        if by == Some(Means::SignIn) || (ours && !fits(ACR_SINGLE_FACTOR)) {
            return Self::OutOfReach;
        }
        Self::WithinReach
    }
}

/// The next step.
#[derive(Debug)]
pub(crate) enum Step {
    SelectAccount,
    SignIn,
    /// Ask for consent; `new` is what was not allowed before.
    Consent {
        new: NewAccess,
    },
    Issue,
    Refuse(OAuthError),
}

/// Decides the next step of a request.
pub(crate) fn next(request: &AuthorizationRequest, client: &Client, situation: Situation<'_>) -> Step {
    let silent = request.prompts(Prompt::None);
    match situation.person {
        // OpenID Connect Core 3.1.2.1, id_token_hint: otherwise it MUST return an error, such as login_required.
        Person::Another => refuse(
            ErrorCode::LoginRequired,
            "Somebody else than the user whom the request names has signed in.",
        ),
        _ if situation.assurance == Assurance::OutOfReach => Step::Refuse(unmet_acr()),
        person if has_to_choose(request, person) && silent => {
            refuse(ErrorCode::AccountSelectionRequired, "The user has to choose an account.")
        }
        person if has_to_choose(request, person) => Step::SelectAccount,
        person if !is_signed_in(request, person, situation) && silent => {
            refuse(ErrorCode::LoginRequired, "The user has to sign in.")
        }
        person if !is_signed_in(request, person, situation) => Step::SignIn,
        _ => match missing_consent(request, client, situation) {
            None => Step::Issue,
            Some(_) if silent => refuse(ErrorCode::ConsentRequired, "The user has to give consent."),
            Some(new) => Step::Consent { new },
        },
    }
}

fn refuse(code: ErrorCode, description: &'static str) -> Step {
    Step::Refuse(OAuthError::new(code, description))
}

/// OpenID Connect Core 5.5.1.1: MUST be treated as a failed authentication.
pub(crate) fn unmet_acr() -> OAuthError {
    let description = "The user cannot sign in here in a way that claims asks for by acr.";
    OAuthError::new(ErrorCode::UnmetAuthenticationRequirements, description)
}

/// `select_account` is for whoever has an account here; all others sign in, and so does everybody whom `login` or `create`
/// asks to.
fn has_to_choose(request: &AuthorizationRequest, person: Person) -> bool {
    match person {
        Person::Known { by, .. } => by.is_none() && request.prompts(Prompt::SelectAccount),
        Person::ToBeChosen => request.prompts(Prompt::SelectAccount) || !request.prompts_sign_in(),
        Person::Another | Person::Unknown => false,
    }
}

fn is_signed_in(request: &AuthorizationRequest, person: Person, situation: Situation<'_>) -> bool {
    let Person::Known { auth_time, by } = person else { return false };
    if by == Some(Means::SignIn) {
        return true;
    }
    // OpenID Connect Core 3.1.2.1: max_age=0 is equivalent to prompt=login.
    let too_old = request.max_age.is_some_and(|most| most == 0 || situation.now.since(auth_time) > most);
    !request.prompts_sign_in() && !too_old && situation.assurance == Assurance::Met
}

fn missing_consent(
    request: &AuthorizationRequest,
    client: &Client,
    situation: Situation<'_>,
) -> Option<NewAccess> {
    if situation.decided {
        return None;
    }
    let nothing = Allowed::default();
    let before = situation.consented.unwrap_or(&nothing);
    let new = before.new_in(&request.permissions(), &request.resources);
    if request.prompts(Prompt::Consent) {
        return Some(new);
    }
    let covered = situation.consented.is_some() && new.is_empty();
    let silent = client.skips_consent() || covered;
    (!silent || may_be_an_impostor(request, client)).then_some(new)
}

/// RFC 6749 10.2, RFC 8252 8.6: a repeated request is not answered without a person where nothing tells the client from
/// somebody who uses its id. A secret or a key does at the token endpoint, which only a code has to pass.
fn may_be_an_impostor(request: &AuthorizationRequest, client: &Client) -> bool {
    let proves_itself = client.is_confidential() && request.response_type == ResponseType::Code;
    !proves_itself
        && redirect_uri::is_anybodys(&request.redirect_uri)
        && client.policy().consent != ConsentPolicy::Remember
}

#[cfg(test)]
mod tests {
    use super::{Assurance, Person, Situation, Step, next};
    use crate::model::{Allowed, AuthorizationRequest, Client, Means, Timestamp};

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    fn client(skip_consent: bool) -> Client {
        let metadata = serde_json::json!({
            "client_id": "app", "client_name": "App", "grant_types": ["authorization_code"], "scope": "openid a b",
            "token_endpoint_auth_method": "none", "skip_consent": skip_consent, "client_id_issued_at": 0,
        });
        crate::model::strict(metadata)
    }

    fn request(members: serde_json::Value) -> AuthorizationRequest {
        let mut request = serde_json::json!({"client_id": "app", "redirect_uri": "https://app.example/cb", "scope": "openid a"});
        request.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        serde_json::from_value(request).unwrap()
    }

    fn known(signed_in_ago: i64, by: Option<Means>) -> Person {
        Person::Known { auth_time: NOW.plus(-signed_in_ago), by }
    }

    fn situation<'a>(signed_in_ago: Option<i64>, consented: Option<&'a Allowed>) -> Situation<'a> {
        Situation {
            person: signed_in_ago.map_or(Person::Unknown, |seconds| known(seconds, None)),
            consented,
            assurance: Assurance::Met,
            decided: false,
            now: NOW,
        }
    }

    fn outcome(step: Step) -> String {
        match step {
            Step::SelectAccount => "select account".into(),
            Step::SignIn => "sign in".into(),
            Step::Consent { new } => format!("consent to {}{}", new.scope, new.resources.concat()),
            Step::Issue => "issue".into(),
            Step::Refuse(error) => error.code.as_str().into(),
        }
    }

    #[test]
    fn the_next_step_follows_from_the_request_and_the_situation() {
        let all = Allowed::of(&"openid a".parse().unwrap(), &[]);
        let some = Allowed::of(&"openid".parse().unwrap(), &[]);
        let none = || serde_json::json!({});
        let prompt = |prompt: &str| serde_json::json!({"prompt": [prompt]});
        let at = |resource: &str, prompt: &str| {
            let prompt: Vec<&str> = prompt.split(' ').filter(|prompt| !prompt.is_empty()).collect();
            serde_json::json!({"resources": [resource], "prompt": prompt})
        };
        let there = Allowed::of(&"openid a".parse().unwrap(), &["r1".to_owned()]);
        let max_age = |seconds: i64| serde_json::json!({"max_age": seconds});
        for (members, signed_in, consented, skip, expected) in [
            (none(), None, None, false, "sign in"),
            (none(), Some(9), None, false, "consent to openid a"),
            (none(), Some(9), Some(&some), false, "consent to a"),
            (none(), Some(9), Some(&all), false, "issue"),
            (none(), Some(9), None, true, "issue"),
            (prompt("consent"), Some(9), Some(&all), false, "consent to "),
            (prompt("consent"), Some(9), Some(&all), true, "consent to "),
            (prompt("login"), Some(9), Some(&all), false, "sign in"),
            (prompt("create"), Some(9), Some(&all), false, "sign in"),
            (prompt("select_account"), Some(9), Some(&all), false, "select account"),
            (prompt("select_account"), None, None, false, "sign in"),
            (prompt("none"), None, None, false, "login_required"),
            (prompt("none"), Some(9), Some(&some), false, "consent_required"),
            (prompt("none"), Some(9), Some(&all), false, "issue"),
            (max_age(9), Some(9), Some(&all), false, "issue"),
            (max_age(8), Some(9), Some(&all), false, "sign in"),
            (max_age(0), Some(0), Some(&all), false, "sign in"),
            (max_age(1), Some(0), Some(&all), false, "issue"),
            (at("r1", ""), Some(9), Some(&all), false, "consent to openid ar1"),
            (at("r1", "none"), Some(9), Some(&all), false, "consent_required"),
            (at("r1", ""), Some(9), Some(&there), false, "issue"),
            (at("r2", "none"), Some(9), Some(&there), false, "consent_required"),
            (none(), Some(9), Some(&there), false, "consent to openid a"),
        ] {
            let step = next(&request(members.clone()), &client(skip), situation(signed_in, consented));
            assert_eq!(outcome(step), expected, "{members} {signed_in:?} {consented:?} {skip}");
        }
    }

    #[test]
    fn signing_in_for_the_request_satisfies_every_prompt_but_consent_and_choosing_only_its_own() {
        let all = Allowed::of(&"openid a".parse().unwrap(), &[]);
        let after = |by, members: serde_json::Value| {
            let situation = Situation { person: known(50, Some(by)), ..situation(None, Some(&all)) };
            outcome(next(&request(members), &client(false), situation))
        };
        let select = || serde_json::json!({"prompt": ["select_account"]});
        let login = || serde_json::json!({"prompt": ["select_account", "login"], "max_age": 1});
        assert_eq!(after(Means::SignIn, login()), "issue");
        assert_eq!(after(Means::Choice, select()), "issue");
        assert_eq!(after(Means::Choice, login()), "sign in");
        assert_eq!(after(Means::Choice, serde_json::json!({"max_age": 49})), "sign in");
    }

    #[test]
    fn where_nothing_says_which_account_a_person_has_to_choose() {
        let ask = |members| {
            let situation = Situation { person: Person::ToBeChosen, ..situation(None, None) };
            outcome(next(&request(members), &client(false), situation))
        };
        assert_eq!(ask(serde_json::json!({})), "select account");
        assert_eq!(ask(serde_json::json!({"prompt": ["login"]})), "sign in");
        assert_eq!(ask(serde_json::json!({"prompt": ["create"]})), "sign in");
        assert_eq!(ask(serde_json::json!({"prompt": ["login", "select_account"]})), "select account");
        assert_eq!(ask(serde_json::json!({"prompt": ["none"]})), "account_selection_required");
    }

    #[test]
    fn whoever_could_be_anybody_is_never_answered_in_silence_unless_the_operator_says_so() {
        let all = Allowed::of(&"openid a".parse().unwrap(), &[]);
        let step = |uri: &str, method: &str, policy: Option<&str>, response_type: &str, skip: bool| {
            let mut client = serde_json::to_value(client(skip).into_metadata()).unwrap();
            client["token_endpoint_auth_method"] = method.into();
            client["consent_policy"] = policy.into();
            let request = request(serde_json::json!({"redirect_uri": uri, "response_type": response_type}));
            let client = crate::model::strict(client);
            outcome(next(&request, &client, situation(Some(9), Some(&all))))
        };
        for uri in ["http://127.0.0.1:4/cb", "http://[::1]/cb", "http://localhost/cb", "com.example.app:/cb"]
        {
            for (method, policy, response_type, skip, expected) in [
                ("none", None, "code", false, "consent to "),
                ("none", None, "code", true, "consent to "),
                ("none", Some("proven"), "code", false, "consent to "),
                ("none", Some("always"), "code", false, "consent to "),
                ("none", Some("remember"), "code", false, "issue"),
                ("client_secret_basic", None, "code", false, "issue"),
                ("client_secret_basic", None, "code id_token", false, "consent to "),
                ("client_secret_basic", None, "token", false, "consent to "),
            ] {
                let found = step(uri, method, policy, response_type, skip);
                assert_eq!(found, expected, "{uri} {method} {policy:?} {response_type}");
            }
        }
        assert_eq!(step("https://app.example/cb", "none", None, "code", false), "issue");
    }

    #[test]
    fn a_decision_is_not_asked_for_twice() {
        let request = request(serde_json::json!({"prompt": ["consent"]}));
        let situation = Situation { decided: true, ..situation(Some(9), None) };
        assert_eq!(outcome(next(&request, &client(false), situation)), "issue");
    }
}
