//! Every page with sample data: looked at by rules here, and by people when `CHANCERY_GALLERY_DIR` names a
//! directory to write the pages to.

use std::collections::BTreeSet;
use std::path::Path;

use askama::Template;

use super::browser;
use super::views::*;
use crate::model::Catalogue;
use crate::protocol::response::Delivery;
use crate::site::i18n::{Messages, choose};
use crate::site::links::{ReturnTo, WebLink};
use crate::site::{Branding, Frame, Site};

const NOW: i64 = 1_772_539_200;
const LONG: &str = "The Extraordinarily Long-Winded Donaudampfschifffahrtsgesellschaftskapitänsmütze Planner";
const REQUEST_ID: &str = "01JQ8ZV3M5T7W9Y1A3C5E7G9J1";

fn site() -> Site {
    let branding = Branding {
        name: "Northwind",
        logo_url: "",
        accent: "#3451d1",
        support_url: "https://help.northwind.example/",
        policy_url: "https://acme.example/privacy",
        tos_url: "https://acme.example/terms",
    };
    Site::new(&branding, "/").unwrap()
}

const MARIA: Person<'_> = Person { name: "Maria Lindqvist", username: "maria" };
const MARIA_AT_LENGTH: Person<'_> =
    Person { name: "maria.with.a.really.long.name@northwind.example", ..MARIA };

fn acme() -> Application {
    Application::new("Acme Calendar", None, Some("https://calendar.acme.example/"))
}

fn login(frame: Frame<'_>) -> LoginPage<'_> {
    LoginPage {
        frame,
        application: Some(acme()),
        return_to: ReturnTo::parse("https://calendar.acme.example/callback"),
        request: "r-1",
        return_page: "",
        csrf: "c-1",
        username: "",
        problem: None,
    }
}

fn account_row(name: &str, username: &str) -> AccountRow {
    AccountRow { session: format!("s-{username}"), name: name.to_owned(), username: username.to_owned() }
}

fn select_account(frame: Frame<'_>) -> SelectAccountPage<'_> {
    SelectAccountPage {
        frame,
        application: Some(acme()),
        return_to: ReturnTo::parse("https://calendar.acme.example/callback"),
        request: "r-1",
        return_page: "",
        csrf: "c-1",
        accounts: vec![account_row("Maria Lindqvist", "maria@northwind.example"), account_row("ops", "ops")],
        another: "/login?request=r-1&account=other",
    }
}

fn select_account_long(frame: Frame<'_>) -> SelectAccountPage<'_> {
    let long = "maria.with.a.really.long.mail.address@subsidiary.northwind.example";
    SelectAccountPage {
        application: None,
        return_to: None,
        return_page: "/device",
        accounts: vec![account_row(LONG, long), account_row(long, long)],
        ..select_account(frame)
    }
}

fn permission(text: &Messages, scope: &str, is_new: bool) -> Permission {
    Permission::new(text, &Catalogue::default(), scope, is_new)
}

fn consent(frame: Frame<'_>) -> ConsentPage<'_> {
    let scopes = ["openid", "profile", "email", "offline_access"];
    ConsentPage {
        frame,
        application: acme(),
        signed_in_as: MARIA,
        request: "r-1",
        csrf: "c-1",
        resources: Vec::new(),
        permissions: scopes.map(|scope| permission(frame.text, scope, true)).into(),
        offline: true,
        return_to: ReturnTo::parse("https://calendar.acme.example/callback"),
        policy: WebLink::parse("https://acme.example/privacy"),
        terms: WebLink::parse("https://acme.example/terms"),
    }
}

fn app_row(text: &Messages, application: Application, scopes: &[&str], used: Option<i64>) -> AppRow {
    AppRow {
        client_id: application.name.clone(),
        application,
        permissions: scopes.iter().map(|scope| permission(text, scope, false)).collect(),
        resources: used.map(|_| vec!["Calendars".to_owned(), "Invoices".to_owned()]).unwrap_or_default(),
        since: text.date(NOW - 90 * 86_400),
        last_used: used.map(|at| text.when(at, NOW)),
        presented_again: used.map(|at| text.when(at, NOW)),
        start: used.map(|_| "https://calendar.acme.example/start".to_owned()),
        start_host: used.map(|_| "calendar.acme.example".to_owned()),
    }
}

fn session_row(text: &Messages, user_agent: &str, age: i64, is_current: bool) -> SessionRow {
    SessionRow {
        id: format!("s-{age}"),
        browser: browser::describe(text, Some(user_agent)),
        since: text.when(NOW - age, NOW),
        last_seen: text.when(NOW - age / 9, NOW),
        is_current,
    }
}

fn account(frame: Frame<'_>) -> AccountPage<'_> {
    let text = frame.text;
    AccountPage {
        frame,
        csrf: "c-1",
        signed_in_as: MARIA,
        notice: None,
        password_problem: None,
        others: vec![],
        apps: vec![
            app_row(text, acme(), &["profile", "email", "offline_access"], Some(NOW - 60)),
            app_row(text, Application::new("Ledger", None, None), &["openid"], None),
        ],
        more_apps: vec![AppLink {
            application: Application::new("Travel", None, None),
            start: "https://travel.northwind.example/start".to_owned(),
        }],
        sessions: vec![
            session_row(text, "Firefox/140.0 (X11; Linux x86_64)", 4000, true),
            session_row(text, "Version/18.0 iPhone Mobile Safari/604.1", 800_000, false),
        ],
    }
}

fn logout(frame: Frame<'_>) -> LogoutPage<'_> {
    LogoutPage {
        frame,
        application: Some(acme()),
        signed_in_as: MARIA,
        csrf: "c-1",
        unproven: false,
        hidden: vec![("state", "s-1")],
    }
}

fn logged_out(frame: Frame<'_>) -> LoggedOutPage<'_> {
    LoggedOutPage {
        frame,
        application: Some(acme()),
        continue_to: None,
        place: None,
        refused: false,
        frames: Vec::new(),
    }
}

fn device(frame: Frame<'_>) -> DevicePage<'_> {
    DevicePage { frame, csrf: "c-1", signed_in_as: MARIA, user_code: "", linked: false, problem: None }
}

fn device_confirm(frame: Frame<'_>) -> DeviceConfirmPage<'_> {
    let scopes = ["openid", "profile", "offline_access"];
    DeviceConfirmPage {
        frame,
        application: Application::new("Acme Television", None, Some("https://tv.acme.example/")),
        signed_in_as: MARIA,
        csrf: "c-1",
        user_code: "WDJB-MJHT",
        resources: Vec::new(),
        permissions: scopes.map(|scope| permission(frame.text, scope, true)).into(),
        offline: true,
        address: "203.0.113.7",
        device: None,
        asked: frame.text.minutes_ago(NOW - 70, NOW),
    }
}

fn device_confirm_long(frame: Frame<'_>) -> DeviceConfirmPage<'_> {
    let scopes = [("openid", false), ("groups", true)];
    DeviceConfirmPage {
        application: Application::new(LONG, None, None),
        signed_in_as: MARIA_AT_LENGTH,
        resources: vec![place("Calendars", false), place(LONG, true)],
        permissions: scopes.map(|(scope, is_new)| permission(frame.text, scope, is_new)).into(),
        offline: false,
        address: "2001:db8:1234:5678:9abc:def0:1234:5678",
        device: browser::recognise(frame.text, "Chrome/140.0 (Linux; Android 15)"),
        asked: frame.text.minutes_ago(NOW - 400, NOW),
        ..device_confirm(frame)
    }
}

/// The pages for devices: name and HTML.
fn device_pages(frame: Frame<'_>) -> Vec<(&'static str, String)> {
    let wrong = Some(DeviceProblem::Wrong);
    let linked = DevicePage { user_code: "WDJB-MJHT", linked: true, ..device(frame) };
    let done = |allowed| DeviceDonePage { frame, application: acme(), allowed };
    vec![
        ("login-device", LoginPage { return_page: "/device", ..login_own(frame) }.render()),
        ("device", device(frame).render()),
        ("device-wrong", DevicePage { user_code: "wdjb mjhx", problem: wrong, ..device(frame) }.render()),
        ("device-linked", linked.render()),
        ("device-confirm", device_confirm(frame).render()),
        ("device-confirm-long", device_confirm_long(frame).render()),
        ("device-allowed", done(true).render()),
        ("device-denied", done(false).render()),
    ]
    .into_iter()
    .map(|(name, html)| (name, html.unwrap()))
    .collect()
}

fn login_own(frame: Frame<'_>) -> LoginPage<'_> {
    LoginPage { application: None, return_to: None, ..login(frame) }
}

fn error(frame: Frame<'_>, problem: Problem) -> ErrorPage<'_> {
    ErrorPage { frame, problem, application: None, detail: None, request_id: REQUEST_ID }
}

/// The pages of one language: name and HTML.
fn pages(frame: Frame<'_>) -> Vec<(String, String)> {
    let mut pages: Vec<(&str, String)> = Vec::new();
    let mut add = |name, page: &dyn askama::DynTemplate| pages.push((name, page.dyn_render().unwrap()));
    add("login", &login(frame));
    add("login-own", &login_own(frame));
    let wrong = Some(LoginProblem::Wrong);
    add("login-wrong", &LoginPage { problem: wrong, username: "maria@northwind.example", ..login(frame) });
    add("login-long", &LoginPage { application: Some(Application::new(LONG, None, None)), ..login(frame) });
    add("select-account", &select_account(frame));
    add(
        "select-account-one",
        &SelectAccountPage { accounts: vec![account_row("Ada", "ada")], ..select_account(frame) },
    );
    add("select-account-long", &select_account_long(frame));
    add("consent", &consent(frame));
    add("consent-long", &consent_long(frame));
    add("account", &account(frame));
    add(
        "account-problem",
        &AccountPage {
            notice: Some(AccountNotice::AccessRemoved),
            password_problem: Some(PasswordProblem::TooShort(8)),
            others: vec![account_row("Maria at home", "maria@home.example"), account_row(LONG, "ops")],
            apps: vec![],
            ..account(frame)
        },
    );
    add("logout", &logout(frame));
    add("logout-unproven", &LogoutPage { application: None, unproven: true, ..logout(frame) });
    add("logged-out", &logged_out(frame));
    add("logged-out-refused", &LoggedOutPage { refused: true, ..logged_out(frame) });
    let continue_to = Some("https://app.acme.example/bye".to_owned());
    let frames = vec!["https://mail.acme.example/logout?sid=s-1", "https://app.acme.example/logout?sid=s-1"];
    add("logged-out-frames", &LoggedOutPage { continue_to, frames, ..logged_out(frame) });
    let continue_to = Some("https://calendar.acme.example/bye".to_owned());
    let place = ReturnTo::parse("https://calendar.acme.example/bye");
    add("logged-out-stranger", &LoggedOutPage { continue_to, place, ..logged_out(frame) });
    let redirect =
        Delivery::Redirect("https://calendar.acme.example/callback?error=invalid_scope".to_owned());
    add("stranger", &stranger(frame, acme(), &redirect));
    let action = "https://calendar.acme.example/callback".to_owned();
    let form = Delivery::Form { action, fields: vec![("error", "invalid_scope".to_owned())] };
    add("stranger-form", &stranger(frame, Application::new(LONG, None, None), &form));
    add("form-post", &form_post(frame, acme()));
    add("form-post-long", &form_post(frame, Application::new(LONG, None, None)));
    add("error", &error(frame, Problem::Internal));
    let detail = Some("redirect_uri is not one of the registered ones (RFC 6749 3.1.2.3).");
    let application = Some(acme());
    add("error-detail", &ErrorPage { detail, application, ..error(frame, Problem::WrongReturnAddress) });
    pages.extend(device_pages(frame));
    pages.into_iter().map(|(name, html)| (format!("{name}.{}", frame.text.tag()), html)).collect()
}

fn form_post(frame: Frame<'_>, application: Application) -> FormPostPage<'_> {
    let fields = vec![("code", "c-1".to_owned()), ("state", "s-1".to_owned())];
    FormPostPage { frame, application, action: "https://calendar.acme.example/callback", fields }
}

fn stranger<'a>(frame: Frame<'a>, application: Application, answer: &'a Delivery) -> StrangerPage<'a> {
    let place = ReturnTo::parse("https://calendar.acme.example/callback").unwrap();
    StrangerPage { frame, application, place, detail: "The client may not ask for the scope x.", answer }
}

fn place(name: &str, is_new: bool) -> Place {
    Place { name: name.to_owned(), is_new }
}

fn consent_long(frame: Frame<'_>) -> ConsentPage<'_> {
    let long_scope = "https://api.acme.example/calendars/shared-with-everybody-in-the-company.readonly";
    let scopes = [("openid", false), ("groups", true), (long_scope, true)];
    ConsentPage {
        application: Application {
            unchecked: true,
            ..Application::new(LONG, None, Some("https://a-very-long-host-name.of-a-company.example/"))
        },
        signed_in_as: MARIA_AT_LENGTH,
        resources: vec![place("Calendars", false), place(LONG, true)],
        permissions: scopes.map(|(scope, is_new)| permission(frame.text, scope, is_new)).into(),
        offline: false,
        return_to: ReturnTo::parse("http://127.0.0.1:49152/callback"),
        ..consent(frame)
    }
}

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
        include_str!("views.rs"),
        include_str!("views/device.rs"),
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
