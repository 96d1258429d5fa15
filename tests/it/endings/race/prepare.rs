//! Everything up to the one request that makes something.

use std::collections::BTreeMap;

use serde_json::json;

use super::cells::Creation;
use super::scene::{Act, Item, PARTNER, Round, Scene, pairs};
use crate::support::{Browser, ExternalUi, JWT_BEARER, PASSWORD, hidden, query_of, redirect_to, text};
use crate::token_exchange::{ACCESS_TOKEN, TOKEN_EXCHANGE};

const ONLINE: &str = "openid profile";
const OFFLINE: &str = "openid offline_access";

/// So many of one kind, of one user.
pub async fn items(scene: &Scene, creation: Creation, round: &mut Round<'_>, number: usize) -> Vec<Item> {
    let mut items = Vec::new();
    let subject_token = match creation {
        Creation::Exchange => text(&tokens(scene, round, ONLINE).await, "access_token"),
        _ => String::new(),
    };
    if creation == Creation::Silent {
        code(scene, round, ONLINE).await;
    }
    for _ in 0..number {
        items.push(match creation {
            Creation::Session => sign_in(round, scene.browser(&BTreeMap::new()), "/login").await,
            Creation::Renewal => {
                let browser = scene.browser(&round.owner.cookies);
                sign_in(round, browser, "/login?account=other").await
            }
            Creation::Form => form(scene, round).await,
            Creation::Silent => {
                let asked = round.asked(&[("scope", ONLINE), ("prompt", "none")]);
                let path = scene.here.authorization(&round.client, &asked);
                of_owner(round, Act::Get(path))
            }
            Creation::Device => device(scene, round).await,
            Creation::ExternalLogin => external_login(scene, round).await,
            Creation::ExternalConsent => external_consent(scene, round).await,
            Creation::Code => {
                let code = code(scene, round, ONLINE).await;
                token(round, Scene::redemption(code))
            }
            Creation::Refresh => {
                let refresh_token = text(&tokens(scene, round, OFFLINE).await, "refresh_token");
                let grant_type = ("grant_type", "refresh_token".to_owned());
                token(round, vec![grant_type, ("refresh_token", refresh_token)])
            }
            Creation::Exchange => first_token(
                round,
                vec![
                    ("grant_type", TOKEN_EXCHANGE.to_owned()),
                    ("subject_token", subject_token.clone()),
                    ("subject_token_type", ACCESS_TOKEN.to_owned()),
                ],
            ),
            Creation::Assertion => {
                let claims = scene.here.assertion_claims(PARTNER, round.user.id.as_str(), json!({}));
                let assertion = ("assertion", scene.signer.sign(&claims));
                let grant_type = ("grant_type", JWT_BEARER.to_owned());
                first_token(round, vec![grant_type, assertion, ("scope", "read".to_owned())])
            }
            Creation::Password => first_token(
                round,
                vec![
                    ("grant_type", "password".to_owned()),
                    ("username", round.user.username.clone()),
                    ("password", PASSWORD.to_owned()),
                    ("scope", ONLINE.to_owned()),
                ],
            ),
        });
    }
    items
}

fn item(cookies: &BTreeMap<String, String>, act: Act) -> Item {
    Item { cookies: cookies.clone(), act, device_code: String::new() }
}

fn of_owner(round: &Round<'_>, act: Act) -> Item {
    item(&round.owner.cookies, act)
}

/// A token request that names what it is for: those of codes, devices and refreshes go by their grants.
fn first_token(round: &Round<'_>, mut form: Vec<(&'static str, String)>) -> Item {
    form.extend(round.resource.map(|resource| ("resource", resource.to_owned())));
    token(round, form)
}

fn token(round: &Round<'_>, form: Vec<(&'static str, String)>) -> Item {
    item(&BTreeMap::new(), Act::Token(round.client.clone(), form))
}

async fn sign_in(round: &Round<'_>, mut browser: Browser<'_>, path: &str) -> Item {
    let csrf = hidden(&browser.get(path).await, "csrf");
    let form =
        vec![("csrf", csrf), ("username", round.user.username.clone()), ("password", PASSWORD.to_owned())];
    item(&browser.cookies, Act::Post("/login", form))
}

/// A consent form that is filled in.
async fn form(scene: &Scene, round: &mut Round<'_>) -> Item {
    let asked = round.asked(&[("scope", ONLINE), ("prompt", "consent")]);
    let path = scene.here.authorization(&round.client, &asked);
    let answer = round.owner.get(&path).await;
    let page = round.owner.follow(answer).await;
    let form = vec![
        ("request", hidden(&page, "request")),
        ("csrf", hidden(&page, "csrf")),
        ("decision", "allow".to_owned()),
    ];
    of_owner(round, Act::Post("/consent", form))
}

async fn device(scene: &Scene, round: &mut Round<'_>) -> Item {
    let form = round.asked(&[("scope", OFFLINE)]);
    let started = scene.here.post_as(&round.client, "/device_authorization", &form).await.json();
    let form = vec![
        ("csrf", round.csrf.clone()),
        ("user_code", text(&started, "user_code")),
        ("decision", "allow".to_owned()),
    ];
    let item = of_owner(round, Act::Post("/device/confirm", form));
    Item { device_code: text(&started, "device_code"), ..item }
}

/// The page has accepted the login; the browser has yet to come back.
async fn external_login(scene: &Scene, round: &Round<'_>) -> Item {
    let (ui, mut browser) = (ExternalUi(&scene.here), scene.browser(&BTreeMap::new()));
    let challenge = ui.start(&mut browser, &round.client, &round.asked(&[("scope", ONLINE)])).await;
    let accepted = ui.put("login/accept", &challenge, json!({"subject": round.user.id, "remember": true}));
    let path = redirect_to(&accepted.await);
    item(&browser.cookies, Act::Get(path))
}

async fn external_consent(scene: &Scene, round: &mut Round<'_>) -> Item {
    let ui = ExternalUi(&scene.here);
    let asked = round.asked(&[("scope", ONLINE)]);
    let challenge = ui.start(&mut round.owner, &round.client, &asked).await;
    let challenge = ui.log_in(&mut round.owner, &challenge, json!({"subject": round.user.id})).await;
    let accepted = ui.put("consent/accept", &challenge, json!({"grant_scope": ["openid", "profile"]})).await;
    of_owner(round, Act::Get(redirect_to(&accepted)))
}

async fn code(scene: &Scene, round: &mut Round<'_>, scope: &str) -> String {
    let path = scene.here.authorization(&round.client, &round.asked(&[("scope", scope)]));
    let answer = round.owner.get(&path).await;
    let mut page = round.owner.follow(answer).await;
    if page.body.contains("name=\"decision\"") {
        page = round.owner.decide(&page, "allow").await;
    }
    query_of(page.location(), "code").unwrap_or_else(|| panic!("no code: {page:?}"))
}

async fn tokens(scene: &Scene, round: &mut Round<'_>, scope: &str) -> serde_json::Value {
    let form = Scene::redemption(code(scene, round, scope).await);
    let answer = scene.here.post_as(&round.client, "/token", &pairs(&form)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}
