//! Guessing passwords and user codes: how often, by whom, and that nobody else is held up by it.

mod hashes;
mod user_codes;

use std::sync::Arc;

use serde_json::json;

use crate::device::{device_client, start};
use crate::support::{Answer, Browser, Kind, PASSWORD, Registration, TestServer, hidden, on_both, text};
use chancery::model::Noted;

const TOO_MANY: &str = "There were too many attempts.";
const KNOWN: &str = "__Host-known";
/// An address in front of which the tests stand as a proxy.
const PROXY: (&str, &str) = ("SERVER__TRUSTED_PROXIES", "0.0.0.0/32");

async fn begin(kind: Kind) -> Arc<TestServer> {
    let server = TestServer::start_with(kind, &[PROXY]).await;
    server.user("ada").await;
    server.user("bob").await;
    Arc::new(server)
}

/// Somebody at this address, in a browser that was never here.
fn at<'s>(server: &'s TestServer, address: &str) -> Browser<'s> {
    let mut browser = server.browser();
    browser.headers.push(("x-forwarded-for", address.to_owned()));
    browser
}

async fn try_in(browser: &mut Browser<'_>, username: &str, password: &str) -> Answer {
    let page = browser.get("/login?account=other").await;
    let form = [("csrf", &*hidden(&page, "csrf")), ("username", username), ("password", password)];
    browser.post("/login", &form).await
}

/// The status of a sign-in in a browser that was never here: 303 right, 422 wrong, 429 not looked at, 503 busy.
async fn status(server: &TestServer, address: &str, username: &str, password: &str) -> u16 {
    try_in(&mut at(server, address), username, password).await.status.as_u16()
}

/// The statuses of so many wrong passwords at once, from these processes in turn.
async fn wrong_at_once(processes: &[Arc<TestServer>], username: &'static str, number: usize) -> Vec<u16> {
    let one = |nth: usize| {
        let server = Arc::clone(&processes[nth % processes.len()]);
        tokio::spawn(async move { status(&server, "192.0.2.1", username, &format!("wrong {nth}")).await })
    };
    let tasks: Vec<_> = (0..number).map(one).collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap());
    }
    statuses
}

fn checked(statuses: &[u16]) -> usize {
    assert!(statuses.iter().all(|status| [422, 429, 503].contains(status)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 422).count()
}

#[track_caller]
fn assert_waits(answer: &Answer, seconds: i64, words: &str) {
    answer.assert_page_error(429);
    assert_eq!(answer.header("retry-after"), seconds.to_string(), "{answer:?}");
    assert!(answer.body.contains(TOO_MANY) && answer.body.contains(words), "{words}: {answer:?}");
}

async fn type_code(browser: &mut Browser<'_>, code: &str) -> u16 {
    let csrf = hidden(&browser.get("/device").await, "csrf");
    browser.post("/device", &[("csrf", &csrf), ("user_code", code)]).await.status.as_u16()
}

async fn with_device(kind: Kind) -> (Arc<TestServer>, Registration) {
    let server = begin(kind).await;
    let client = device_client(&server, json!({})).await;
    (server, client)
}

on_both! {
    async fn sixty_wrong_passwords_at_once_are_checked_ten_times_at_most(kind: Kind) {
        let server = begin(kind).await;
        let mut looked_at = 0;
        // Few of them get a place at once, so more come.
        for _ in 0..3 {
            looked_at += checked(&wrong_at_once(std::slice::from_ref(&server), "ada", 60).await);
        }
        assert!((1..=10).contains(&looked_at), "{looked_at}");
        while status(&server, "192.0.2.1", "ada", "wrong").await == 422 {
            looked_at += 1;
        }
        // One that is checked without having been counted leaves one less to those beside it.
        assert!((9..=10).contains(&looked_at), "{looked_at}");
    }

    async fn replicas_count_together(kind: Kind) {
        let server = begin(kind).await;
        let processes = [Arc::clone(&server), Arc::new(server.replica().await)];
        let mut looked_at = 0;
        for _ in 0..3 {
            looked_at += checked(&wrong_at_once(&processes, "ada", 60).await);
        }
        assert!((1..=10).contains(&looked_at), "{looked_at}");
        for number in looked_at..10 {
            status(&processes[number % 2], "192.0.2.1", "ada", "wrong").await;
        }
        for process in &processes {
            assert_eq!(status(process, "192.0.2.1", "ada", PASSWORD).await, 429);
        }
    }

    async fn the_user_name_and_the_mail_address_count_as_one_account(kind: Kind) {
        let server = begin(kind).await;
        for name in ["ada", "ADA", " ada ", "ada@mail.example", "Ada@Mail.Example"].repeat(2) {
            assert_eq!(status(&server, "192.0.2.1", name, "wrong").await, 422, "{name}");
        }
        for name in ["ada", "ada@mail.example"] {
            assert_eq!(status(&server, "192.0.2.1", name, PASSWORD).await, 429, "{name}");
        }
        assert_eq!(status(&server, "192.0.2.1", "bob", PASSWORD).await, 303);
    }

    async fn after_ten_wrong_passwords_the_wait_doubles_and_is_told(kind: Kind) {
        let server = begin(kind).await;
        let mut browser = at(&server, "192.0.2.1");
        for _ in 0..10 {
            assert_eq!(try_in(&mut browser, "ada", "wrong").await.status, 422);
        }
        for seconds in [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
            let words = if seconds <= 90 { format!("{seconds} seconds") } else { "minutes".to_owned() };
            assert_waits(&try_in(&mut browser, "ada", PASSWORD).await, seconds, &words);
            server.advance(seconds - 1);
            assert_waits(&try_in(&mut browser, "ada", PASSWORD).await, 1, "one second");
            server.advance(1);
            assert_eq!(try_in(&mut browser, "ada", "wrong").await.status, 422, "{seconds}");
        }
        server.advance(900);
        assert_eq!(try_in(&mut browser, "ada", PASSWORD).await.status, 303);
        // What was wrong is forgotten: ten more.
        for _ in 0..10 {
            assert_eq!(status(&server, "192.0.2.1", "ada", "wrong").await, 422);
        }
        assert_eq!(status(&server, "192.0.2.1", "ada", "wrong").await, 429);
    }

    async fn wrong_passwords_are_forgotten_after_an_hour_without_one_and_their_rows_go(kind: Kind) {
        let server = begin(kind).await;
        for _ in 0..10 {
            assert_eq!(status(&server, "192.0.2.1", "ada", "wrong").await, 422);
        }
        server.advance(3603);
        for _ in 0..9 {
            assert_eq!(status(&server, "192.0.2.1", "ada", "wrong").await, 422);
        }
        assert_eq!(status(&server, "192.0.2.1", "ada", PASSWORD).await, 303);
        assert_eq!(server.number("SELECT COUNT(*) FROM tries").await, 3);
        server.advance(4000);
        assert!(server.app.remove_expired().await.unwrap().tries > 0);
        assert_eq!(server.number("SELECT COUNT(*) FROM tries").await, 0);
    }

    async fn a_name_that_nobody_has_is_counted_like_one_that_somebody_has_and_is_not_stored(kind: Kind) {
        let server = begin(kind).await;
        for name in ["my-secret", "MY-SECRET "].repeat(5) {
            assert_eq!(status(&server, "192.0.2.1", name, "wrong").await, 422);
        }
        let mut pages = Vec::new();
        for name in ["my-secret", "ada"] {
            while status(&server, "192.0.2.1", name, "wrong").await == 422 {}
            let answer = try_in(&mut at(&server, "192.0.2.1"), name, PASSWORD).await;
            assert_waits(&answer, 2, "2 seconds");
            pages.push(answer);
        }
        assert_eq!(server.number("SELECT COUNT(*) FROM tries WHERE id LIKE '%secret%' OR id LIKE '%192%'").await, 0);
        assert!(server.number("SELECT COUNT(*) FROM tries").await >= 5);
    }

    async fn a_name_that_nobody_has_takes_as_many_statements_as_one_that_somebody_has(kind: Kind) {
        let server = begin(kind).await;
        // Nothing counted yet; something counted; too much counted.
        for (tries, expected) in [(1, 2), (9, 2), (1, 3)] {
            for name in ["ada", "nobody"] {
                for _ in 0..tries {
                    let mut browser = at(&server, "192.0.2.1");
                    let csrf = hidden(&browser.get("/login").await, "csrf");
                    let form = [("csrf", csrf.as_str()), ("username", name), ("password", "wrong")];
                    let (statements, _) = server.statements(browser.post("/login", &form)).await;
                    assert_eq!(statements, expected, "{name}");
                }
            }
        }
    }

    async fn a_sign_in_costs_two_statements_more_after_a_wrong_password_and_none_before(kind: Kind) {
        let server = begin(kind).await;
        let sign_in = async || {
            let mut browser = at(&server, "192.0.2.1");
            let csrf = hidden(&browser.get("/login").await, "csrf");
            let form = [("csrf", csrf.as_str()), ("username", "ada"), ("password", PASSWORD)];
            let (statements, answer) = server.statements(browser.post("/login", &form)).await;
            assert_eq!(answer.status, 303);
            statements
        };
        let without = sign_in().await;
        // Who it is, the session, and whether the user has too many.
        assert_eq!(without, kind.with_an_entry(2) + 1);
        assert_eq!(status(&server, "192.0.2.1", "ada", "wrong").await, 422);
        assert_eq!(sign_in().await, without + 2);
    }

    async fn the_addresses_of_one_household_count_as_one(kind: Kind) {
        let server = begin(kind).await;
        for number in 0..10 {
            assert_eq!(status(&server, &format!("2001:db8:1:2::{number}"), "ada", "wrong").await, 422);
        }
        assert_eq!(status(&server, "2001:db8:1:2:ffff::1", "ada", PASSWORD).await, 429);
        assert_eq!(status(&server, "2001:db8:1:3::1", "ada", PASSWORD).await, 303);
    }

    async fn an_address_that_tries_many_accounts_waits_and_others_do_not(kind: Kind) {
        let server = begin(kind).await;
        for number in 0..100 {
            assert_eq!(status(&server, "192.0.2.1", &format!("user{number}"), "wrong").await, 422, "{number}");
        }
        let answer = try_in(&mut at(&server, "192.0.2.1"), "ada", PASSWORD).await;
        assert_waits(&answer, 9, "9 seconds");
        assert_eq!(status(&server, "192.0.2.2", "ada", PASSWORD).await, 303);
        server.advance(9);
        assert_eq!(status(&server, "192.0.2.1", "ada", PASSWORD).await, 303);
        // The one that was right is taken back; what was wrong before it stays.
        assert_eq!(status(&server, "192.0.2.1", "nobody", "wrong").await, 422);
        assert_eq!(status(&server, "192.0.2.1", "nobody", "wrong").await, 429);
    }

    async fn an_account_is_guessed_a_hundred_times_an_hour_from_everywhere(kind: Kind) {
        let server = begin(kind).await;
        let mut address = (0..).map(|number| format!("198.51.{}.{}", number / 250, number % 250));
        let mut guess = async || {
            let address = address.next().unwrap();
            status(&server, &address, "ada", "wrong").await
        };
        for number in 0..100 {
            assert_eq!(guess().await, 422, "{number}");
        }
        assert_eq!(guess().await, 429);
        let mut looked_at = 0;
        for _ in 0..200 {
            server.advance(18);
            looked_at += u32::from(guess().await == 422);
        }
        assert_eq!(looked_at, 100);
    }

    async fn strangers_do_not_hold_up_a_browser_that_signed_in_before(kind: Kind) {
        let server = begin(kind).await;
        let (mut home, mut other) = (at(&server, "192.0.2.1"), at(&server, "192.0.2.1"));
        assert_eq!(try_in(&mut home, "ada", PASSWORD).await.status, 303);
        assert_eq!(try_in(&mut other, "bob", PASSWORD).await.status, 303);
        // From her own address, and from everywhere.
        for _ in 0..10 {
            assert_eq!(status(&server, "192.0.2.1", "ada", "wrong").await, 422);
        }
        for number in 0..90 {
            assert_eq!(status(&server, &format!("198.51.100.{number}"), "ada", "wrong").await, 422);
        }
        assert_eq!(status(&server, "203.0.113.1", "ada", PASSWORD).await, 429);
        assert_eq!(try_in(&mut other, "ada", PASSWORD).await.status, 429, "known to somebody else");
        for name in ["ada", "ada@mail.example"] {
            assert_eq!(try_in(&mut home, name, PASSWORD).await.status, 303);
        }
        let mut moved = at(&server, "203.0.113.2");
        moved.cookies.insert(KNOWN.to_owned(), home.cookies[KNOWN].clone());
        assert_eq!(try_in(&mut moved, "ada", PASSWORD).await.status, 303, "at another address");
    }

    async fn a_known_browser_has_a_count_of_its_own(kind: Kind) {
        let server = begin(kind).await;
        let mut home = at(&server, "192.0.2.1");
        assert_eq!(try_in(&mut home, "ada", PASSWORD).await.status, 303);
        for _ in 0..10 {
            assert_eq!(try_in(&mut home, "ada", "wrong").await.status, 422);
        }
        assert_waits(&try_in(&mut home, "ada", PASSWORD).await, 2, "2 seconds");
        assert_eq!(status(&server, "192.0.2.1", "ada", PASSWORD).await, 303, "strangers are not held up by it");
        server.advance(2);
        assert_eq!(try_in(&mut home, "ada", PASSWORD).await.status, 303);
    }

    async fn the_cookie_of_a_known_browser_ends_with_the_password_and_says_nothing_of_the_user(kind: Kind) {
        let server = begin(kind).await;
        let mut home = at(&server, "192.0.2.1");
        let answer = try_in(&mut home, "ada", PASSWORD).await;
        let cookies = answer.headers.get_all("set-cookie").into_iter().map(|value| value.to_str().unwrap());
        let cookie = cookies.into_iter().find(|cookie| cookie.starts_with(KNOWN)).unwrap();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=15552000"), "{cookie}");
        assert_eq!(home.cookies[KNOWN].len(), 45);
        let mut elsewhere = at(&server, "192.0.2.9");
        assert_eq!(try_in(&mut elsewhere, "ada", PASSWORD).await.status, 303);
        assert_ne!(home.cookies[KNOWN], elsewhere.cookies[KNOWN]);
        // She changes it at home, which stays known.
        let csrf = hidden(&home.get("/account").await, "csrf");
        let (old, new) = (PASSWORD, "another good password");
        let form = [("csrf", csrf.as_str()), ("current_password", old), ("new_password", new), ("repeat_password", new)];
        assert_eq!(home.post("/account/password", &form).await.status, 303);
        for number in 0..100 {
            assert_eq!(status(&server, &format!("198.51.100.{number}"), "ada", "wrong").await, 422);
        }
        assert_eq!(try_in(&mut elsewhere, "ada", new).await.status, 429);
        assert_eq!(try_in(&mut home, "ada", new).await.status, 303);
    }

    async fn no_browser_is_known_any_more_once_everything_of_its_user_was_ended(kind: Kind) {
        let server = begin(kind).await;
        let guess = async || {
            for number in 0..100 {
                status(&server, &format!("198.51.100.{number}"), "ada", "wrong").await;
            }
        };
        let user = server.app.storage.user_by_username("ada").await.unwrap().unwrap().id;
        let mut home = at(&server, "192.0.2.1");
        assert_eq!(try_in(&mut home, "ada", PASSWORD).await.status, 303);
        guess().await;
        // A wrong one is looked at: the browser is known.
        assert_eq!(try_in(&mut home, "ada", "wrong").await.status, 422);
        server.app.storage.end_sessions(Noted::nothing(), &user, server.app.now()).await.unwrap();
        assert_eq!(try_in(&mut home, "ada", PASSWORD).await.status, 429);
        server.advance(36);
        assert_eq!(try_in(&mut home, "ada", PASSWORD).await.status, 303);
        guess().await;
        assert_eq!(try_in(&mut home, "ada", PASSWORD).await.status, 303, "and from the next sign-in on it is");
        for disabled in [true, false] {
            server.app.storage.set_disabled(Noted::nothing(), &user, disabled, server.app.now()).await.unwrap();
        }
        assert_eq!(try_in(&mut home, "ada", PASSWORD).await.status, 429);
    }

    async fn a_forged_or_mended_cookie_of_a_known_browser_is_worth_nothing(kind: Kind) {
        let server = begin(kind).await;
        let mut home = at(&server, "192.0.2.1");
        assert_eq!(try_in(&mut home, "ada", PASSWORD).await.status, 303);
        let good = home.cookies[KNOWN].clone();
        for number in 0..100 {
            assert_eq!(status(&server, &format!("198.51.100.{number}"), "ada", "wrong").await, 422);
        }
        let (name, tag) = good.split_once(':').unwrap();
        let other = chancery::crypto::random::id();
        for bad in [format!("{other}:{tag}"), format!("{name}:{other}"), name.to_owned(), format!("{good}:"), String::new()] {
            let mut browser = at(&server, "203.0.113.1");
            browser.cookies.insert(KNOWN.to_owned(), bad.clone());
            assert_eq!(try_in(&mut browser, "ada", PASSWORD).await.status, 429, "{bad}");
        }
    }

    async fn a_stolen_session_guesses_the_password_slowly_and_holds_up_nobody_else(kind: Kind) {
        let server = begin(kind).await;
        let (mut thief, mut home) = (at(&server, "192.0.2.1"), at(&server, "192.0.2.1"));
        for browser in [&mut thief, &mut home] {
            assert_eq!(try_in(browser, "ada", PASSWORD).await.status, 303);
        }
        let csrf = hidden(&thief.get("/account").await, "csrf");
        let cookies: Vec<_> = thief.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = Arc::new(cookies.join("; "));
        let mut looked_at = 0;
        for _ in 0..8 {
            let tasks: Vec<_> = (0..10).map(|number| {
                let (server, cookies, csrf) = (Arc::clone(&server), Arc::clone(&cookies), csrf.clone());
                tokio::spawn(async move {
                    let guess = format!("guess {number}");
                    let new = "another good password";
                    let form = [("csrf", csrf.as_str()), ("current_password", &guess), ("new_password", new), ("repeat_password", new)];
                    server.post("/account/password", &[("cookie", cookies.as_str())], &form).await.status.as_u16()
                })
            }).collect();
            let mut statuses = Vec::new();
            for task in tasks {
                statuses.push(task.await.unwrap());
            }
            looked_at += checked(&statuses);
        }
        assert_eq!(looked_at, 10);
        let csrf = hidden(&home.get("/account").await, "csrf");
        let new = "another good password";
        let form = [("csrf", csrf.as_str()), ("current_password", PASSWORD), ("new_password", new), ("repeat_password", new)];
        assert_eq!(home.post("/account/password", &form).await.status, 303);
    }

    async fn an_account_and_an_address_doing_their_worst_leave_others_their_places(kind: Kind) {
        let server = begin(kind).await;
        for number in 0..40 {
            server.user(&format!("user{number}")).await;
        }
        // Ada signs in without end, and somebody tries forty accounts; each from one address, for a while.
        let until = std::time::Instant::now() + std::time::Duration::from_secs(3);
        let busy = |nth: usize| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while std::time::Instant::now() < until {
                    seen.push(match nth {
                        ..45 => status(&server, "192.0.2.1", "ada", PASSWORD).await,
                        _ => status(&server, "192.0.2.2", &format!("user{}", nth - 45), PASSWORD).await,
                    });
                    // Nothing is waited for where there is no place, and others have a turn on this thread too.
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
                seen
            })
        };
        let tasks: Vec<_> = (0..85).map(busy).collect();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        let mut bystanders = Vec::new();
        while std::time::Instant::now() < until {
            // At an address of his own, and at the one of Ada.
            bystanders.push(status(&server, "192.0.2.3", "bob", PASSWORD).await);
            bystanders.push(status(&server, "192.0.2.1", "bob", PASSWORD).await);
        }
        assert!(!bystanders.is_empty() && bystanders.iter().all(|status| *status == 303), "{bystanders:?}");
        let mut seen = Vec::new();
        for task in tasks {
            seen.extend(task.await.unwrap());
        }
        assert!(seen.contains(&303) && seen.contains(&503), "they get their share and no more");
        assert!(seen.iter().all(|status| [303, 503].contains(status)), "{seen:?}");
    }
}
