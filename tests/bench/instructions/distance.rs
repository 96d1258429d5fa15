//! A database that is some milliseconds away. One on the same machine answers sometimes before the server looks for the
//! answer and sometimes after, and a look in vain costs instructions: counts would depend on how busy the machine is.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use url::Url;

/// How late every answer is: longer than the server, slowed down by callgrind, takes until it looks.
const LATE: Duration = Duration::from_millis(3);
/// The first argument of the process that passes everything on.
pub const PASS_ON: &str = "pass-on";

/// That process: its instructions are not to be counted. It ends with this value.
pub struct Distance {
    process: Child,
    /// The database seen through it.
    pub url: String,
}

impl Distance {
    pub fn to(database: &str) -> Self {
        let mut url = Url::parse(database).expect("the database has a URL");
        let address = format!("{}:{}", url.host_str().unwrap_or_default(), url.port().unwrap_or(5432));
        let program = std::env::current_exe().expect("the program knows where it is");
        let mut passing_on = Command::new(program);
        let mut process =
            passing_on.args([PASS_ON, &address]).stdout(Stdio::piped()).spawn().expect("a process starts");
        let mut port = String::new();
        let output = process.stdout.take().expect("its output is piped");
        BufReader::new(output).read_line(&mut port).expect("it tells its port");
        url.set_host(Some("127.0.0.1")).expect("the URL has a host");
        url.set_port(port.trim().parse().ok()).expect("the URL has a port");
        Self { process, url: url.into() }
    }
}

impl Drop for Distance {
    fn drop(&mut self) {
        self.process.kill().and_then(|()| self.process.wait()).expect("the process ends");
    }
}

/// What that process does: it tells its port, and passes connections on to `address` until it is killed.
pub fn pass_on(address: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    println!("{}", listener.local_addr().expect("the listener has an address").port());
    for client in listener.incoming() {
        let client = client.expect("a connection is accepted");
        let database = TcpStream::connect(address).expect("the database is reached");
        for stream in [&client, &database] {
            stream.set_nodelay(true).expect("TCP_NODELAY is set");
        }
        let back = (clone(&database), clone(&client));
        thread::spawn(move || copy(client, database, Duration::ZERO));
        thread::spawn(move || copy(back.0, back.1, LATE));
    }
}

fn clone(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("a connection has two directions")
}

/// Until one of them ends.
fn copy(mut from: TcpStream, mut to: TcpStream, late: Duration) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        thread::sleep(late);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}
