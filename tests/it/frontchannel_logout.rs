//! Front-channel logout (OpenID Connect Front-Channel Logout 1.0): the frames of the signed-out page.

use serde_json::json;

use crate::support::{Answer, TestServer, claims_of, encode, on_both, text};

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
}
