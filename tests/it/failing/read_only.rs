//! A SQLite file that cannot be written to: what would write gets 503, what reads is answered.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::database::{assert_unavailable, limit_files, reads_are_answered, soon};
use crate::support::{Deployment, Kind, Process, output, program, program_through, text};

/// The program as a user to whom the mode of a file counts: root gives up the right to pass it over.
fn held_to_modes(environment: &[(String, String)], set_up: &str) -> Command {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let bounded = if is_root { "setpriv --bounding-set=-dac_override" } else { "" };
    program_through(&format!("{set_up}; exec {bounded} \"$0\" \"$@\""), environment, &["serve"])
}

/// The database's files: itself, its log, and the log's index.
fn files_of(path: &Path) -> Vec<PathBuf> {
    let beside = |end: &str| PathBuf::from(format!("{}{end}", path.display()));
    ["", "-wal", "-shm"].map(beside).into_iter().filter(|path| path.exists()).collect()
}

fn set_modes(path: &Path, file: u32, directory: u32) {
    for path in files_of(path) {
        fs::set_permissions(path, Permissions::from_mode(file)).unwrap();
    }
    fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(directory)).unwrap();
}

#[tokio::test]
async fn while_the_file_is_read_only_writes_are_refused_and_reads_answered_and_then_all_is_well() {
    let deployment = Deployment::prepare(Kind::Sqlite).await;
    let tokens = deployment.tokens().await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let file = deployment.pages.database_file();
    let process = Process::start_command(held_to_modes(&deployment.pages.environment, "trap '' XFSZ")).await;
    assert_eq!(process.get("/readyz", &[]).await.status, 200);
    // A file that is open stays writable whatever its mode becomes. A failed write closes it, and by then the mode has to be
    // what it will be: the next one may be opened at once.
    limit_files(&process, "4096");
    set_modes(&file, 0o400, 0o500);
    assert_unavailable(&process.refresh(&deployment.client, &refresh).await);
    limit_files(&process, "unlimited");
    for _ in 0..3 {
        assert_unavailable(&process.refresh(&deployment.client, &refresh).await);
        let page = process.get(&deployment.pages.authorization(&deployment.client, &[]), &[]).await;
        page.assert_page_error(503);
    }
    reads_are_answered(&deployment, &process, &access).await;
    process.logged("readonly database").await;
    set_modes(&file, 0o600, 0o700);
    soon("it is writable again", async || process.refresh(&deployment.client, &refresh).await.status == 200)
        .await;
    process.terminate();
    assert_eq!(process.ended().await, Some(0));
}

#[tokio::test]
async fn a_start_on_a_read_only_file_is_refused_and_says_which() {
    let deployment = Deployment::prepare(Kind::Sqlite).await;
    let file = deployment.pages.database_file();
    set_modes(&file, 0o400, 0o500);
    let mut command = held_to_modes(&deployment.pages.environment, ":");
    command.env("CHANCERY_SERVER__LISTEN", "127.0.0.1:0");
    let refused = output(command).await;
    set_modes(&file, 0o600, 0o700);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{told}");
    assert!(told.contains(&format!("chancery: {}: Permission denied", file.display())), "{told}");
    assert!(output(program(&deployment.pages.environment, &["client", "list"])).await.status.success());
}
