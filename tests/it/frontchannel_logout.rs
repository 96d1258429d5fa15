//! Front-channel logout (OpenID Connect Front-Channel Logout 1.0): the frames of the signed-out page.

use serde_json::json;

use crate::support::{Answer, TestServer, claims_of, encode, hidden, on_both, query_of, text};

const BYE: &str = "https://app.example/bye";
const PAGE: &str = "https://app.example/loggedout?x=1";

fn policy(answer: &Answer) -> &str {
    answer.header("content-security-policy")
}

on_both! {
    /// oidcc-frontchannel-rp-initiated-logout
    async fn each_application_of_the_session_is_shown_in_a_frame_before_the_way_leads_on(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = server
            .client(json!({"post_logout_redirect_uris": [BYE], "frontchannel_logout_uri": PAGE}))
            .await;
        let (mail, other) = ("https://mail.example/cb", "https://other.example/cb");
        let mail_client = server
            .client(json!({"redirect_uris": [mail], "frontchannel_logout_uri": "https://mail.example/out"}))
            .await;
        let other_client = server
            .client(json!({"redirect_uris": [other], "frontchannel_logout_uri": "https://other.example/out"}))
            .await;
        // In another browser.
        let request = server.authorization(&other_client, &[("redirect_uri", other)]);
        server.browser().authorize_as(&request, "ada").await;
        let mut browser = server.browser();
        let tokens = browser.tokens(&client, "ada", &[]).await;
        browser.authorize_as(&server.authorization(&mail_client, &[("redirect_uri", mail)]), "ada").await;
        let id_token = text(&tokens, "id_token");
        let form =
            [("id_token_hint", &*id_token), ("post_logout_redirect_uri", BYE), ("state", "\"s"), ("ui_locales", "de")];
        let page = browser.get(&format!("/logout?{}", encode(&form))).await;
        assert_eq!((page.status.as_u16(), page.location()), (200, ""));
        let sid = text(&claims_of(&id_token), "sid");
        let query = format!("iss=https%3A%2F%2Fid.example&#38;sid={sid}");
        for frame in [format!("https://app.example/loggedout?x=1&#38;{query}"), format!("https://mail.example/out?{query}")] {
            let frame = format!("<iframe src=\"{frame}\" sandbox=\"allow-same-origin allow-scripts\" hidden>");
            assert!(page.body.contains(&frame), "{frame} in {page:?}");
        }
        assert_eq!(page.body.matches("<iframe").count(), 2);
        assert!(policy(&page).ends_with("; frame-src https://app.example https://mail.example"), "{page:?}");
        assert!(policy(&page).contains("default-src 'none'") && policy(&page).contains("frame-ancestors 'none'"));
        // Without scripts it is a link.
        let link = format!("href=\"{BYE}?state=%22s\" data-continue");
        assert!(page.body.contains(&link) && page.body.contains("Sie sind abgemeldet"), "{page:?}");
        assert!(!browser.cookies.contains_key("__Host-session"));
        let again = browser.get(&format!("/logout?{}", encode(&form))).await;
        assert_eq!(again.location(), format!("{BYE}?state=%22s"), "nobody is left to be told");
    }

    async fn no_host_of_an_application_writes_into_the_policy(kind: Kind) {
        let server = TestServer::start_with(kind, &[crate::support::OPEN]).await;
        server.user("ada").await;
        for host in ["evil.example;sandbox", "x;script-src'unsafe-inline'.evil.example", "evil.example,x", "*", "a'b.example"] {
            let uris = json!({
                "redirect_uris": [format!("https://{host}/cb")], "frontchannel_logout_uri": format!("https://{host}/bye"),
            });
            server.register(uris.clone()).await.assert_error(400, "invalid_client_metadata");
            // Nor one that is in the database.
            let client = server.client(uris).await;
            let mut browser = server.browser();
            let redirect_uri = format!("https://{host}/cb");
            let answer = browser.authorize_as(&server.authorization(&client, &[("redirect_uri", &redirect_uri)]), "ada").await;
            assert!(answer.location().starts_with(&redirect_uri), "{answer:?}");
            let page = browser.get("/logout").await;
            let form = [("csrf", &*hidden(&page, "csrf")), ("decision", "sign_out")];
            let page = browser.post("/logout", &form).await;
            assert!(page.body.contains("You are signed out") && !page.body.contains("<iframe"), "{page:?}");
            assert!(policy(&page).ends_with("; base-uri 'none'; frame-ancestors 'none'"), "{page:?}");
        }
    }

    async fn without_such_applications_no_frame_is_allowed(kind: Kind) {
        let server = TestServer::start(kind).await;
        server.user("ada").await;
        let client = server.client(json!({})).await;
        let mut browser = server.browser();
        let tokens = browser.tokens(&client, "ada", &[]).await;
        let page = browser.get(&format!("/logout?id_token_hint={}", text(&tokens, "id_token"))).await;
        assert!(page.body.contains("You are signed out") && !page.body.contains("<iframe"));
        assert!(!policy(&page).contains("frame-src"), "{page:?}");
    }

    async fn signing_out_of_accounts_on_the_chooser_shows_the_frames_of_every_session_that_ended(kind: Kind) {
        let server = TestServer::start(kind).await;
        let client = server.client(json!({"skip_consent": true, "frontchannel_logout_uri": PAGE})).await;
        let plain = server.client(json!({"skip_consent": true})).await;
        let mut browser = server.browser();
        let mut sids = Vec::new();
        for name in ["ada", "bob", "eve", "tom"] {
            server.user(name).await;
            browser.add(name).await;
            // One of them was at no application that is to be told.
            let used = if name == "tom" { &plain } else { &client };
            let answer = browser.get(&server.authorization(used, &[("scope", "openid")])).await;
            let tokens = server.redeem(used, &query_of(answer.location(), "code").unwrap()).await.json();
            sids.push(text(&claims_of(&text(&tokens, "id_token")), "sid"));
        }
        let waiting = browser.get(&server.authorization(&client, &[("prompt", "select_account"), ("ui_locales", "de")])).await;
        let frames = |page: &Answer| -> Vec<bool> {
            let frame = |sid| format!("<iframe src=\"https://app.example/loggedout?x=1&#38;iss=https%3A%2F%2Fid.example&#38;sid={sid}\"");
            sids.iter().map(|sid| page.body.contains(&frame(sid))).collect()
        };
        // One of them: on to those who are left, in the language of the request.
        let request = query_of(waiting.location(), "request").unwrap();
        let page = browser.follow(waiting).await;
        let done = browser.choose(&page, "ada", "sign_out").await;
        assert_eq!((done.status.as_u16(), frames(&done)), (200, vec![true, false, false, false]), "{done:?}");
        let link = |page: &str| format!("href=\"/{page}?request={request}\" data-continue><span>Weiter</span>");
        assert!(done.body.contains(&link("select_account")) && !done.body.contains("href=\"/account\""), "{done:?}");
        assert!(policy(&done).ends_with("; frame-src https://app.example"), "{done:?}");
        let page = browser.get(&format!("/select_account?request={request}")).await;
        assert!(!page.body.contains(">ada<") && page.body.contains(">bob<"), "{page:?}");
        // One without: nothing to show.
        let done = browser.choose(&page, "tom", "sign_out").await;
        assert_eq!(done.location(), format!("https://id.example/select_account?request={request}"));
        // All.
        let form = [("csrf", &*hidden(&page, "csrf")), ("request", &request), ("decision", "sign_out_all")];
        browser.post("/select_account", &form).await.assert_page_error(403);
        let page = browser.follow(done).await;
        let form = [("csrf", &*hidden(&page, "csrf")), ("request", &request), ("decision", "sign_out_all")];
        let done = browser.post("/select_account", &form).await;
        assert_eq!((done.status.as_u16(), frames(&done)), (200, vec![false, true, true, false]), "{done:?}");
        assert!(done.body.contains(&link("login")), "{done:?}");
        assert_eq!(server.number("SELECT COUNT(*) FROM sessions").await, 0);
    }
}
