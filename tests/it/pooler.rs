//! A pooler in transaction mode before Postgres is refused: statements would silently run as other ones.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use chancery::storage::{Db, StorageError};

/// Speaks just enough of the protocol to be asked which server process answers; `backend` says which, given the
/// number of the connection and of the question.
fn pooler(backend: fn(connection: i32, question: i32) -> i32) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://u@{}/db?sslmode=disable", listener.local_addr().unwrap());
    let questions = Arc::new(AtomicI32::new(0));
    std::thread::spawn(move || {
        for (connection, stream) in (0..).zip(listener.incoming()) {
            let questions = Arc::clone(&questions);
            std::thread::spawn(move || {
                answer(stream.unwrap(), || backend(connection, questions.fetch_add(1, Ordering::SeqCst)))
            });
        }
    });
    url
}

fn answer(mut stream: TcpStream, backend: impl Fn() -> i32) -> Option<()> {
    let ready = message(b'Z', b"I");
    read(&mut stream)?;
    stream.write_all(&[message(b'R', &[0; 4]), ready.clone()].concat()).ok()?;
    loop {
        let mut kind = [0];
        stream.read_exact(&mut kind).ok()?;
        let question = read(&mut stream)?;
        if kind != *b"Q" {
            return None;
        }
        // A primary; else the process, an int4.
        let (value, oid) = match question.starts_with(b"SHOW transaction_read_only") {
            true => ("off".to_owned(), 25i32),
            false => (backend().to_string(), 23),
        };
        let column = [&[0, 1][..], b"a\0", &[0; 6], &oid.to_be_bytes(), &[0, 4], &[255; 4], &[0; 2]].concat();
        let row = [&[0, 1][..], &(value.len() as i32).to_be_bytes(), value.as_bytes()].concat();
        let answer =
            [message(b'T', &column), message(b'D', &row), message(b'C', b"SELECT 1\0"), ready.clone()];
        stream.write_all(&answer.concat()).ok()?;
    }
}

/// A message's body, after its length.
fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

async fn is_refused(backend: fn(i32, i32) -> i32) -> bool {
    let db = Db::open_postgres(&pooler(backend), 1, std::time::Duration::from_secs(5)).await.unwrap();
    match db.refuse_transaction_pooler().await {
        Ok(()) => false,
        Err(StorageError::TransactionPooler) => true,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn connections_that_share_a_server_process_are_refused() {
    assert!(is_refused(|_, _| 7).await, "one process for all");
    assert!(is_refused(|connection, _| connection / 2).await, "one for two");
}

#[tokio::test]
async fn a_connection_that_changes_its_server_process_is_refused() {
    assert!(is_refused(|_, question| question).await, "another with every statement");
    assert!(is_refused(|_, question| question % 4).await, "four in turn");
}

#[tokio::test]
async fn a_connection_that_keeps_its_server_process_is_accepted() {
    assert!(!is_refused(|connection, _| connection).await);
}
