//! `chancery try`: a server with a demo user and a demo application, on this machine only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;

use super::args::TryArgs;
use super::environment::environment;
use super::{Failure, password, seed, serve};
use crate::app::App;
use crate::boot;
use crate::config::Settings;
use crate::crypto::random;
use crate::demo::{self, ClientSettings, RelyingParty};
use crate::model::Secret;
use crate::observe::{Listener, Watch};
use crate::server::{edge, listener};

const PORT: u16 = 8080;
const DEMO_PORT: u16 = 8081;
/// How many ports after a default one are tried when it is taken.
const TRIED: u16 = 100;

pub(super) async fn run(args: TryArgs, file: Option<&Path>) -> Result<(), Failure> {
    let (listener, port) = bind(args.port, PORT).await?;
    let (demo_listener, demo_port) = bind(args.demo_port, DEMO_PORT).await?;
    let settings = settings(port, file)?;
    let telemetry = serve::start_log(&settings)?;
    let (app, background) = serve::start(settings).await?;
    if seed::is_in_use(&app).await? {
        return Err(Failure::refused(
            "the database is in use: it holds clients or users, and none of the demo's\n    \
             choose another data.directory (CHANCERY_DATA__DIRECTORY), or run `chancery serve`",
        ));
    }
    let home = format!("http://localhost:{demo_port}/");
    let known = Known::read_or_make(&app.settings.data.directory)?;
    let password = Secret::new(known.password.as_str());
    let machine = Secret::new(known.machine_secret.as_str());
    let secret = random::secret();
    let secrets = seed::Secrets { password: &password, app: &secret, machine: &machine };
    seed::run(&app, &home, &secrets).await.map_err(|error| Failure::refused(error.to_string()))?;
    let client = ClientSettings {
        issuer: app.issuer().to_owned(),
        client_id: seed::APP.to_owned(),
        client_secret: secret.clone(),
        scope: seed::SCOPE.to_owned(),
        home: home.clone(),
        id_token_alg: app.settings.tokens.id_token_alg,
    };
    let relying_party = RelyingParty::new(client, Arc::clone(&app.outbound));
    let others = boot::Listeners::bind(&app).await?;
    let stopped = boot::stopped()?;
    tell(&app, &home, &known, args.output.json)?;
    let server = &app.settings.server;
    // Another application, which does not count.
    let watch = Watch::new(&Arc::default(), Listener::Public);
    let connections = Arc::clone(watch.connections());
    let pages = edge::layers(demo::router(relying_party), server, watch);
    let until = boot::signalled(stopped.clone());
    let demo = listener::serve(demo_listener, None, pages, server, &connections, until);
    let (served, shown) = tokio::join!(boot::until(&app, listener, others, stopped), demo);
    serve::close(&app, background).await;
    telemetry.end().await;
    served?;
    Ok(shown?)
}

/// The configuration as always, but for where the server is.
fn settings(port: u16, file: Option<&Path>) -> Result<Settings, Failure> {
    let here = [
        ("CHANCERY_SERVER__ISSUER".to_owned(), format!("http://localhost:{port}")),
        ("CHANCERY_SERVER__LISTEN".to_owned(), format!("127.0.0.1:{port}")),
        ("CHANCERY_SERVER__TLS_CERTIFICATE_FILE".to_owned(), String::new()),
        ("CHANCERY_SERVER__TLS_KEY_FILE".to_owned(), String::new()),
    ];
    Ok(Settings::load(file, environment().chain(here))?)
}

/// Listens on the port that was asked for; nobody asked: on the default one, or the next that is free.
async fn bind(asked: Option<u16>, default: u16) -> Result<(TcpListener, u16), Failure> {
    let candidates = asked.map_or(default..=default.saturating_add(TRIED), |port| port..=port);
    let first = *candidates.start();
    for port in candidates {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(listener) => {
                // Not `port`: 0 asks for any.
                let port = listener.local_addr()?.port();
                return Ok((listener, port));
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(Failure::refused(format!("port {port}: {error}"))),
        }
    }
    Err(Failure::refused(format!("port {first} is taken\n    choose another with --port or --demo-port")))
}

/// What stays the same from one start to the next, so that people need not look it up again.
#[derive(Serialize, Deserialize)]
struct Known {
    password: String,
    machine_secret: String,
}

impl Known {
    /// From a file that only its owner can read.
    fn read_or_make(directory: &Path) -> Result<Self, Failure> {
        let path = directory.join("demo.json");
        let broken = |error: &dyn std::fmt::Display| {
            Failure::refused(format!(
                "{}: {error}\n    delete it, and the demo gets a new password",
                path.display()
            ))
        };
        match fs::read_to_string(&path) {
            Ok(text) => return serde_json::from_str(&text).map_err(|error| broken(&error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(broken(&error)),
        }
        let known = Self {
            password: password::generate().expose().to_owned(),
            machine_secret: random::secret().expose().to_owned(),
        };
        let text = serde_json::to_string_pretty(&known)?;
        fs::create_dir_all(directory)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(text.as_bytes()).map_err(|error| broken(&error))?;
        Ok(known)
    }
}

/// Both listeners are bound by now, so whoever reads this can go there at once.
fn tell(app: &App, home: &str, known: &Known, as_json: bool) -> Result<(), Failure> {
    let issuer = app.issuer();
    let Known { password, machine_secret } = known;
    let username = seed::USERNAME;
    let text = if as_json {
        let line = json!({ "demo_url": home, "issuer": issuer, "username": username, "password": password });
        format!("{line}\n")
    } else {
        format!(
            "\nChancery is running. Open the demo application and sign in:\n\n  \
             {home}\n\n  \
             user name  {username}\n  \
             password   {password}\n\n\
             The server is {issuer}, your account there {issuer}/account\n\
             A token for a machine:\n\n  \
             curl -u {}:{machine_secret} -d grant_type=client_credentials {issuer}/token\n\n\
             Ctrl+C stops it.\n\n",
            seed::MACHINE
        )
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
