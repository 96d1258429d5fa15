//! Forty at once: what may happen once happens once, on both databases.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::device;
use crate::support::{Answer, Registration, TestServer, VERIFIER, all, hidden, on_both, query_of, text};
use crate::token_exchange;

const MANY: usize = 40;

/// Runs `work` forty times at once and returns what came of each.
async fn all_at_once<F>(work: impl Fn(usize) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let tasks: Vec<_> = (0..MANY).map(|number| tokio::spawn(work(number))).collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

/// A server with a client and a user.
async fn start(kind: crate::support::Kind) -> (Arc<TestServer>, Arc<Registration>) {
    let server = TestServer::start(kind).await;
    server.user("ada").await;
    let client = server.client(json!({})).await;
    (Arc::new(server), Arc::new(client))
}

async fn refresh_all(server: &Arc<TestServer>, client: &Arc<Registration>, tokens: &[String]) -> Vec<Answer> {
    all_at_once(|number| {
        let (server, client) = (Arc::clone(server), Arc::clone(client));
        let token = tokens[number % tokens.len()].clone();
        async move { server.refresh(&client, &token).await }
    })
    .await
}

/// Every answer is a success or `invalid_grant`: the successes.
#[track_caller]
fn successes(answers: &[Answer]) -> Vec<Value> {
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    for answer in bad {
        answer.assert_error(400, "invalid_grant");
    }
    good.into_iter().map(Answer::json).collect()
}

on_both! {
    async fn one_of_forty_redeems_a_code_and_then_the_grant_is_revoked(kind: Kind) {
        let (server, client) = start(kind).await;
        let code = server.code(&client, "ada", &[]).await;
        let answers = all_at_once(|_| {
            let (server, client, code) = (Arc::clone(&server), Arc::clone(&client), code.clone());
            async move { server.redeem(&client, &code).await }
        })
        .await;
        let won = successes(&answers);
        assert_eq!(won.len(), 1);
        // RFC 6749 4.1.2: the others were a second use.
        assert!(!server.is_active(&client, &text(&won[0], "access_token")).await);
        let refreshed = server.refresh(&client, &text(&won[0], "refresh_token")).await;
        refreshed.assert_error(400, "invalid_grant");
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 1);
    }

    async fn one_of_forty_redeems_a_code_across_processes(kind: Kind) {
        let (server, client) = start(kind).await;
        let code = server.code(&client, "ada", &[]).await;
        let other = Arc::new(server.replica().await);
        let answers = all_at_once(|number| {
            let one = if number % 2 == 0 { &server } else { &other };
            let (one, client, code) = (Arc::clone(one), Arc::clone(&client), code.clone());
            async move { one.redeem(&client, &code).await }
        })
        .await;
        assert_eq!(successes(&answers).len(), 1);
    }

    async fn forty_refreshes_of_one_token_get_one_and_the_same_successor(kind: Kind) {
        let (server, client) = start(kind).await;
        let token = text(&server.tokens(&client, "ada").await, "refresh_token");
        let answers = refresh_all(&server, &client, std::slice::from_ref(&token)).await;
        let won = successes(&answers);
        assert_eq!(won.len(), MANY);
        let successors: HashSet<_> = won.iter().map(|tokens| text(tokens, "refresh_token")).collect();
        assert_eq!(successors.len(), 1);
        assert!(!successors.contains(&token));
        assert_eq!(server.number("SELECT generation FROM grants").await, 2);
        let access_tokens: HashSet<_> = won.iter().map(|tokens| text(tokens, "access_token")).collect();
        assert_eq!(access_tokens.len(), MANY);
        let successor = successors.into_iter().next().unwrap();
        assert_eq!(server.refresh(&client, &successor).await.status, 200);
    }

    async fn forty_refreshes_of_old_and_new_end_in_a_revoked_grant_or_in_one_chain(kind: Kind) {
        let (server, client) = start(kind).await;
        let old = text(&server.tokens(&client, "ada").await, "refresh_token");
        let new = server.refresh(&client, &old).await.text("refresh_token");
        let answers = refresh_all(&server, &client, &[old.clone(), new.clone()]).await;
        let won = successes(&answers);
        assert!(!won.is_empty());
        let successors: HashSet<_> = won.iter().map(|tokens| text(tokens, "refresh_token")).collect();
        let next: Vec<_> = successors.iter().filter(|token| **token != new).collect();
        assert!(next.len() <= 1, "the successor of the new one is one");
        let replayed = won.len() < MANY;
        let revoked = server.number("SELECT COUNT(*) FROM grants WHERE state = 'revoked'").await == 1;
        assert_eq!(replayed, revoked, "whoever was refused was refused for good");
        let last = next.first().map_or(new.as_str(), |token| token);
        assert_eq!(server.refresh(&client, last).await.status == 200, !revoked);
    }

    async fn a_revocation_among_forty_refreshes_wins(kind: Kind) {
        let (server, client) = start(kind).await;
        let token = text(&server.tokens(&client, "ada").await, "refresh_token");
        let answers = all_at_once(|number| {
            let (server, client, token) = (Arc::clone(&server), Arc::clone(&client), token.clone());
            async move {
                match number {
                    20 => server.revoke(&client, &token).await,
                    _ => server.refresh(&client, &token).await,
                }
            }
        })
        .await;
        let (revocations, refreshes): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.body == "{}");
        assert_eq!((revocations.len(), refreshes.len()), (1, MANY - 1));
        for tokens in successes(&refreshes) {
            assert!(!server.is_active(&client, &text(&tokens, "access_token")).await);
            let again = server.refresh(&client, &text(&tokens, "refresh_token")).await;
            again.assert_error(400, "invalid_grant");
        }
    }

    async fn forty_refreshes_of_a_token_that_is_reused_all_succeed_with_it(kind: Kind) {
        let server = Arc::new(TestServer::start(kind).await);
        server.user("ada").await;
        let client = Arc::new(server.client(json!({"rotation": "reuse"})).await);
        let token = text(&server.tokens(&client, "ada").await, "refresh_token");
        for _ in 0..2 {
            let won = successes(&refresh_all(&server, &client, std::slice::from_ref(&token)).await);
            assert_eq!(won.len(), MANY);
            assert!(won.iter().all(|tokens| tokens["refresh_token"] == token));
            let access_tokens: HashSet<_> = won.iter().map(|tokens| text(tokens, "access_token")).collect();
            assert_eq!(access_tokens.len(), MANY);
            server.advance(60);
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM grants WHERE state = 'active'").await, 1);
        assert_eq!(server.number("SELECT generation FROM grants").await, 1);
    }

    async fn forty_redemptions_at_once_leave_no_more_grants_than_the_client_may_have(kind: Kind) {
        const MOST: i64 = 7;
        let (server, _) = start(kind).await;
        let client = Arc::new(server.client(json!({"max_refresh_grants": MOST})).await);
        let mut browser = server.browser();
        browser.enter("ada").await;
        let path = server.authorization(&client, &[]);
        let mut codes = vec![query_of(browser.authorize_as(&path, "ada").await.location(), "code").unwrap()];
        while codes.len() < MANY {
            codes.push(query_of(browser.get(&path).await.location(), "code").unwrap());
        }
        let (codes, other) = (Arc::new(codes), Arc::new(server.replica().await));
        let answers = all_at_once(|number| {
            let one = if number % 2 == 0 { &server } else { &other };
            let (one, client, codes) = (Arc::clone(one), Arc::clone(&client), Arc::clone(&codes));
            async move { one.redeem(&client, &codes[number]).await }
        })
        .await;
        assert_eq!(successes(&answers).len(), MANY, "whose grant goes at once has got its tokens all the same");
        let left = server.number("SELECT COUNT(*) FROM grants WHERE state = 'active'").await;
        assert!((MOST - 1..=MOST).contains(&left), "{left}");
    }

    async fn of_forty_redemptions_with_right_and_wrong_verifiers_at_most_one_wins(kind: Kind) {
        let (server, client) = start(kind).await;
        let code = server.code(&client, "ada", &[]).await;
        let answers = all_at_once(|number| {
            let (server, client, code) = (Arc::clone(&server), Arc::clone(&client), code.clone());
            async move {
                let verifier = if number % 2 == 0 { VERIFIER.to_owned() } else { "x".repeat(43) };
                server.redeem_with(&client, &code, &[("code_verifier", &verifier)]).await
            }
        })
        .await;
        assert!(successes(&answers).len() <= 1);
        // A wrong one spends the code, and after a right one it is a second use.
        assert_eq!(server.number("SELECT COUNT(*) FROM grants WHERE state = 'revoked'").await, 1);
    }

    async fn a_revocation_among_forty_exchanges_ends_every_token_that_came_of_them(kind: Kind) {
        let place = Arc::new(token_exchange::Place::new(kind).await);
        let tokens = place.tokens().await;
        let (access_token, refresh_token) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        let answers = all_at_once(|number| {
            let (place, access, refresh) = (Arc::clone(&place), access_token.clone(), refresh_token.clone());
            async move {
                match number {
                    20 => place.server.revoke(&place.web, &refresh).await,
                    _ => place.exchange(&access, &[]).await,
                }
            }
        })
        .await;
        let gateway = place.server.client(json!({"introspection_policy": "any"})).await;
        for (_, answer) in answers.iter().enumerate().filter(|(number, _)| *number != 20) {
            match answer.status.as_u16() {
                200 => assert!(!place.server.is_active(&gateway, &answer.text("access_token")).await),
                _ => answer.assert_error(400, "invalid_request"),
            }
        }
    }

    async fn a_consent_form_that_is_sent_forty_times_makes_one_grant_and_one_code(kind: Kind) {
        let (server, client) = start(kind).await;
        let mut browser = server.browser();
        let first = browser.get(&server.authorization(&client, &[])).await;
        let page = browser.follow(first).await;
        let signed_in = browser.sign_in(&page, "ada", crate::support::PASSWORD).await;
        let page = browser.follow(signed_in).await;
        let cookies: Vec<_> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let (cookies, request, csrf) = (cookies.join("; "), hidden(&page, "request"), hidden(&page, "csrf"));
        let answers = all_at_once(|_| {
            let (server, cookies) = (Arc::clone(&server), cookies.clone());
            let (request, csrf) = (request.clone(), csrf.clone());
            async move {
                let form = [("request", request.as_str()), ("csrf", &csrf), ("decision", "allow")];
                server.post("/consent", &[("cookie", &cookies)], &form).await
            }
        })
        .await;
        let codes: HashSet<_> = answers.iter().map(|answer| query_of(answer.location(), "code")).collect();
        assert_eq!(codes.len(), 1, "{codes:?}");
        let code = codes.into_iter().next().unwrap().expect("a code");
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 1);
        assert_eq!(server.number("SELECT COUNT(*) FROM consents").await, 1);
        assert_eq!(server.redeem(&client, &code).await.status, 200);
    }

    async fn processes_that_start_together_make_one_key_an_algorithm_and_all_use_it(kind: Kind) {
        // RSA keys take long to make, and differently long: who is slower finds the next algorithm's key made already.
        let server = TestServer::start_with(kind, &[("KEYS__ALGORITHMS", "ES256,RS256,EdDSA")]).await;
        for _ in 0..3 {
            server.sql("DELETE FROM signing_keys").await;
            let started = all((0..8).map(|_| server.replica()).collect()).await;
            assert_eq!(server.number("SELECT COUNT(*) FROM signing_keys").await, 3);
            let sets: HashSet<_> = started.iter().map(|one| one.app.keys.ring().jwks().plain().clone()).collect();
            assert_eq!(sets.len(), 1);
        }
    }

    async fn one_of_forty_polls_gets_the_tokens_of_a_device_across_processes(kind: Kind) {
        let (server, _) = start(kind).await;
        let client = Arc::new(device::device_client(&server, json!({})).await);
        let started = Arc::new(device::start(&server, &client).await);
        device::answer(&mut server.browser(), "ada", &started, "allow").await;
        let other = Arc::new(server.replica().await);
        let answers = all_at_once(|number| {
            let one = if number % 2 == 0 { &server } else { &other };
            let (one, client, started) = (Arc::clone(one), Arc::clone(&client), Arc::clone(&started));
            async move { device::poll(&one, &client, &started).await }
        })
        .await;
        let won = successes(&answers);
        assert_eq!(won.len(), 1);
        assert!(server.is_active(&client, &text(&won[0], "access_token")).await);
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, 1);
    }

    async fn of_forty_decisions_about_a_device_the_first_counts(kind: Kind) {
        let (server, _) = start(kind).await;
        server.user("bob").await;
        let client = device::device_client(&server, json!({})).await;
        let started = device::start(&server, &client).await;
        let code = text(&started, "user_code");
        let (mut ada, mut bob) = (server.browser(), server.browser());
        let pages = [
            device::type_code(&mut ada, "ada", &code).await,
            device::type_code(&mut bob, "bob", &code).await,
        ];
        let cookies = Arc::new([ada.cookies.clone(), bob.cookies.clone()]);
        let pages = Arc::new(pages);
        let answers = all_at_once(|number| {
            let (server, cookies, pages) = (Arc::clone(&server), Arc::clone(&cookies), Arc::clone(&pages));
            async move {
                let mut browser = server.browser();
                browser.cookies = cookies[number % 2].clone();
                let decision = if number % 4 < 2 { "allow" } else { "deny" };
                (number % 4, device::decide(&mut browser, &pages[number % 2], decision).await.status)
            }
        })
        .await;
        // One person's one decision is confirmed, however often it was sent; every other is refused.
        let won: HashSet<usize> =
            answers.iter().filter(|(_, status)| *status == 200).map(|(kind, _)| *kind).collect();
        assert_eq!(won.len(), 1, "{answers:?}");
        let grants = i64::from(won.iter().all(|kind| *kind < 2));
        assert_eq!(server.number("SELECT COUNT(*) FROM grants").await, grants);
    }
}
