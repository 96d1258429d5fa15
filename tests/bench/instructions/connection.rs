//! The least HTTP client that will do: its instructions are counted too, the same few thousand for each request.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

pub struct Answer<'a> {
    head: &'a str,
    pub body: &'a str,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server is reached");
        stream.set_nodelay(true).expect("TCP_NODELAY is set");
        Self { stream, buffer: Vec::with_capacity(1 << 16) }
    }

    /// Sends a request and reads its whole answer, which tells its length.
    pub async fn send(&mut self, request: &[u8]) -> Answer<'_> {
        self.stream.write_all(request).await.expect("the server reads");
        self.buffer.clear();
        let (mut head, mut end) = (0, usize::MAX);
        while self.buffer.len() < end {
            let read = self.stream.read_buf(&mut self.buffer).await.expect("the server answers");
            assert!(read > 0, "the server closed the connection: {}", String::from_utf8_lossy(&self.buffer));
            if head == 0
                && let Some(found) = self.buffer.windows(4).position(|part| part == b"\r\n\r\n")
            {
                head = found + 4;
                end = head + length(text(&self.buffer[..head]));
            }
        }
        Answer { head: text(&self.buffer[..head]), body: text(&self.buffer[head..end]) }
    }
}

impl<'a> Answer<'a> {
    /// What goes on where `begin` ends in the head, up to `end`.
    pub fn in_head(&self, begin: &str, end: char) -> Option<&'a str> {
        between(self.head, begin, end)
    }

    /// A member of the body that is a text without escapes.
    pub fn member(&self, name: &str) -> Option<&'a str> {
        between(self.body, &format!("\"{name}\":\""), '"')
    }

    /// Ends the measurement unless the request was answered as it should be.
    pub fn assert_has(&self, expected: &str) {
        assert!(self.head.contains(expected) || self.body.contains(expected), "{}{}", self.head, self.body);
    }
}

fn between<'a>(text: &'a str, begin: &str, end: char) -> Option<&'a str> {
    text.split_once(begin)?.1.split(end).next()
}

fn length(head: &str) -> usize {
    between(head, "content-length: ", '\r').map_or(0, |length| length.parse().expect("a length is a number"))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("an answer is text")
}
