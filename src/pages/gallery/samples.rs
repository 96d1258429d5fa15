//! The pages with sample data, in every state that they have.

use askama::Template;

use crate::model::Catalogue;
use crate::pages::browser;
use crate::pages::views::*;
use crate::protocol::response::Delivery;
use crate::site::i18n::Messages;
use crate::site::links::{ReturnTo, WebLink};
use crate::site::{Branding, Frame, Site};

const NOW: i64 = 1_772_539_200;
const LONG: &str = "The Extraordinarily Long-Winded Donaudampfschifffahrtsgesellschaftskapitänsmütze Planner";
pub(super) const REQUEST_ID: &str = "01JQ8ZV3M5T7W9Y1A3C5E7G9J1";

pub(super) fn site() -> Site {
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

pub(super) fn login(frame: Frame<'_>) -> LoginPage<'_> {
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

pub(super) fn account_row(name: &str, username: &str) -> AccountRow {
    AccountRow { session: format!("s-{username}"), name: name.to_owned(), username: username.to_owned() }
}

pub(super) fn select_account(frame: Frame<'_>) -> SelectAccountPage<'_> {
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

pub(super) fn permission(text: &Messages, scope: &str, is_new: bool) -> Permission {
    Permission::new(text, &Catalogue::default(), scope, is_new)
}

pub(super) fn consent(frame: Frame<'_>) -> ConsentPage<'_> {
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

pub(super) fn account(frame: Frame<'_>) -> AccountPage<'_> {
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

pub(super) fn logout(frame: Frame<'_>) -> LogoutPage<'_> {
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

pub(super) fn device(frame: Frame<'_>) -> DevicePage<'_> {
    DevicePage { frame, csrf: "c-1", signed_in_as: MARIA, user_code: "", linked: false, problem: None }
}

pub(super) fn device_confirm(frame: Frame<'_>) -> DeviceConfirmPage<'_> {
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

pub(super) fn error(frame: Frame<'_>, problem: Problem) -> ErrorPage<'_> {
    ErrorPage { frame, problem, application: None, detail: None, request_id: REQUEST_ID }
}

/// The pages of one language: name and HTML.
pub(super) fn pages(frame: Frame<'_>) -> Vec<(String, String)> {
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

pub(super) fn form_post(frame: Frame<'_>, application: Application) -> FormPostPage<'_> {
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

pub(super) fn consent_long(frame: Frame<'_>) -> ConsentPage<'_> {
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
