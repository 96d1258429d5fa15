//! Every page with sample data: looked at by rules here, and by people when `CHANCERY_GALLERY_DIR` names a
//! directory to write the pages to.

mod samples;

use std::collections::BTreeSet;
use std::path::Path;

use askama::Template;

use super::browser;
use super::views::*;
use crate::site::i18n::{Messages, choose};
use samples::*;

fn every_page() -> Vec<(String, String)> {
    let (site, mirrored) = (site(), Messages::mirrored());
    let languages = Messages::all().iter().chain([&mirrored]);
    languages.flat_map(|text| pages(site.frame(text))).collect()
}

#[test]
fn every_page_obeys_the_house_rules() {
    let site = site();
    let assets = site.assets.stylesheet.document.plain().len() + site.assets.script.document.plain().len();
    for (name, html) in every_page() {
        for banned in [" style=", "<style", " onclick=", "javascript:", "{{", "{%", "{app}", "{place}"] {
            assert!(!html.contains(banned), "{name} contains {banned}");
        }
        assert_eq!(html.matches("<script").count(), 1, "{name}");
        assert_eq!(html.matches("<h1>").count(), 1, "{name}");
        assert!(html.matches(" autofocus").count() <= 1, "{name}");
        for post in html.split("<form ").skip(1) {
            // One that goes to an application is not ours to check.
            let away = post.contains("class=\"by-itself\"") || post.contains("class=\"away\"");
            assert!(post.contains("method=\"post\"") && (away || post.contains("name=\"csrf\"")), "{name}");
        }
        assert!(html.len() + assets < 20_000, "{name} is {} bytes", html.len() + assets);
    }
}

#[test]
fn the_form_fields_keep_their_names() {
    let site = site();
    let frame = site.frame(choose(None, None));
    let has = |html: String, names: &[&str]| {
        for name in names {
            assert!(html.contains(&format!("name=\"{name}\"")), "{name}");
        }
    };
    has(login(frame).render().unwrap(), &["request", "csrf", "username", "password"]);
    has(select_account(frame).render().unwrap(), &["request", "csrf", "session", "decision"]);
    has(consent(frame).render().unwrap(), &["request", "csrf", "decision"]);
    let names = ["csrf", "client_id", "session", "current_password", "new_password", "repeat_password"];
    has(account(frame).render().unwrap(), &names);
    has(device(frame).render().unwrap(), &["csrf", "user_code"]);
    has(device_confirm(frame).render().unwrap(), &["csrf", "user_code", "decision"]);
    has(logout(frame).render().unwrap(), &["csrf", "state", "decision"]);
}

#[test]
fn what_others_wrote_is_escaped() {
    let site = site();
    let frame = site.frame(choose(None, None));
    let evil = "\"><script>alert(1)</script>";
    let application = Application::new(evil, Some(evil), Some("javascript:alert(1)"));
    let login =
        LoginPage { application: Some(application.clone()), username: evil, request: evil, ..login(frame) };
    let permissions = vec![permission(frame.text, evil, true)];
    let consent = ConsentPage {
        application: application.clone(),
        permissions,
        signed_in_as: Person { name: evil, username: evil },
        ..consent(frame)
    };
    let device =
        DevicePage { user_code: evil, signed_in_as: Person { name: evil, username: evil }, ..device(frame) };
    let confirm = DeviceConfirmPage {
        application: application.clone(),
        address: evil,
        user_code: evil,
        device: browser::recognise(frame.text, evil),
        ..device_confirm(frame)
    };
    let error = ErrorPage { detail: Some(evil), request_id: evil, ..error(frame, Problem::BadRequest) };
    let select =
        SelectAccountPage { accounts: vec![account_row(evil, evil)], request: evil, ..select_account(frame) };
    let fields = vec![("state", evil.to_owned())];
    let form_post = FormPostPage { action: evil, fields, ..form_post(frame, application) };
    let pages = [
        login.render(),
        consent.render(),
        device.render(),
        confirm.render(),
        error.render(),
        select.render(),
        form_post.render(),
    ];
    for html in pages.map(Result::unwrap) {
        assert!(!html.contains("<script>"), "{html}");
        assert!(!html.contains("javascript:"), "{html}");
    }
}

#[test]
fn an_error_is_tied_to_the_field_that_has_the_focus() {
    let site = site();
    let frame = site.frame(choose(None, None));
    for problem in LoginProblem::ALL {
        for username in ["", "maria"] {
            let html = LoginPage { problem: Some(problem), username, ..login(frame) }.render().unwrap();
            let focused: Vec<&str> =
                html.split("<input ").filter(|field| field.contains(" autofocus")).collect();
            assert_eq!(focused.len(), 1, "{problem:?}");
            assert!(focused[0].contains("aria-describedby=\"problem\""), "{problem:?}");
            assert_eq!(html.matches("id=\"problem\"").count(), 1);
        }
    }
}

#[test]
fn a_problem_with_a_code_is_tied_to_its_field() {
    let site = site();
    for problem in DeviceProblem::ALL {
        let html =
            DevicePage { problem: Some(problem), ..device(site.frame(choose(None, None))) }.render().unwrap();
        assert_eq!(html.matches("aria-describedby=\"problem\"").count(), 1, "{problem:?}");
        assert!(html.contains("id=\"problem\"") && !html.contains("device.error"), "{problem:?}");
    }
}

#[test]
fn only_a_program_on_this_computer_is_warned_about() {
    let site = site();
    let frame = site.frame(choose(None, None));
    assert!(consent_long(frame).render().unwrap().contains("class=\"warning\""));
    assert!(!consent(frame).render().unwrap().contains("class=\"warning\""));
}

/// Message keys are the only string literals with a dot that are all lower case.
fn keys_in(source: &str) -> BTreeSet<&str> {
    let known = |section: &str| {
        let all = &Messages::all()[0];
        all.keys().iter().any(|key| key.split('.').next() == Some(section))
    };
    let is_key = |text: &&str| {
        let lower = text.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.');
        let file = text.ends_with('.') || text.ends_with(".html");
        lower && !file && text.split_once('.').is_some_and(|(section, _)| known(section))
    };
    source.split('"').filter(is_key).collect()
}

#[test]
fn every_key_in_use_exists_and_every_key_is_in_use() {
    let sources = [
        include_str!("../../templates/layout.html"),
        include_str!("../../templates/parts.html"),
        include_str!("../../templates/login.html"),
        include_str!("../../templates/select_account.html"),
        include_str!("../../templates/consent.html"),
        include_str!("../../templates/account.html"),
        include_str!("../../templates/logout.html"),
        include_str!("../../templates/logged_out.html"),
        include_str!("../../templates/error.html"),
        include_str!("../../templates/form_post.html"),
        include_str!("../../templates/stranger.html"),
        include_str!("../site/mod.rs"),
        include_str!("../../templates/device.html"),
        include_str!("../../templates/device_confirm.html"),
        include_str!("../../templates/device_done.html"),
        include_str!("views/account.rs"),
        include_str!("views/device.rs"),
        include_str!("views/permission.rs"),
        include_str!("views/sign_in.rs"),
        include_str!("../site/links.rs"),
        include_str!("browser.rs"),
        include_str!("../site/i18n.rs"),
    ];
    let used: BTreeSet<&str> = sources.iter().flat_map(|source| keys_in(source)).collect();
    let texts = &Messages::all()[0];
    let existing = texts.keys();
    let missing: Vec<_> = used.difference(&existing).filter(|key| **key != "date.month_").collect();
    assert!(missing.is_empty(), "used, but in no message file: {missing:?}");
    // Put together from parts, and tried one by one in other tests.
    let computed = |key: &str| key.starts_with("date.month_") || key.starts_with("problem.");
    let unused: Vec<_> = existing.difference(&used).filter(|key| !computed(key)).collect();
    assert!(unused.is_empty(), "in the message files, but not used: {unused:?}");
}

#[test]
fn every_error_page_says_something() {
    let site = site();
    for problem in Problem::ALL {
        for text in Messages::all() {
            let html = error(site.frame(text), *problem).render().unwrap();
            assert!(!html.contains("problem."), "{problem:?} in {}", text.tag());
            assert!(html.contains(REQUEST_ID));
            assert!(problem.status().is_client_error() || problem.status().is_server_error());
        }
    }
    for notice in AccountNotice::ALL {
        let notice = Some(notice);
        let html = AccountPage { notice, ..account(site.frame(choose(None, None))) }.render().unwrap();
        assert!(!html.contains("account.notice"));
    }
}

/// For looking at the pages; does nothing unless asked to.
#[test]
fn the_gallery_can_be_written_to_files() {
    let Some(directory) = std::env::var_os("CHANCERY_GALLERY_DIR") else { return };
    let directory = Path::new(&directory);
    let site = site();
    std::fs::create_dir_all(directory.join("assets")).unwrap();
    for asset in [&site.assets.stylesheet, &site.assets.script] {
        std::fs::write(directory.join("assets").join(&asset.name), asset.document.plain()).unwrap();
    }
    for (name, html) in every_page() {
        std::fs::write(directory.join(format!("{name}.html")), html).unwrap();
    }
}
