//! One keep-alive HTTP/1.1 connection. Deliberately small: a load generator that costs more than the
//! server measures itself. It knows bodies of a stated length and chunked ones, and refuses the rest.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::Result;

const REQUEST_LIMIT: Duration = Duration::from_secs(10);
const ANSWER_LIMIT: usize = 1024 * 1024;
const MAX_HEADERS: usize = 64;
/// Between two questions to a server that is overloaded, and how often it is asked.
const PAUSE: Duration = Duration::from_millis(500);
const TRIES: u32 = 20;

pub struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    tries: u32,
}

/// Where the parts of an answer lie in the connection's buffer.
pub struct Answer<'a> {
    pub status: u16,
    head: &'a [u8],
    pub body: &'a [u8],
}

struct Head {
    status: u16,
    end: usize,
    framing: Framing,
    close: bool,
}

/// How an answer says where it ends (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    Length(usize),
    Chunked,
}

impl Connection {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: Vec::with_capacity(16 * 1024), tries: 1 }
    }

    /// One that asks again what is answered with 503: for what is no part of a measurement.
    pub fn patient(address: SocketAddr) -> Self {
        Self { tries: TRIES, ..Self::new(address) }
    }

    pub async fn connect(&mut self) -> Result<()> {
        if self.stream.is_none() {
            let stream = timeout(REQUEST_LIMIT, TcpStream::connect(self.address)).await??;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Sends one request and reads the whole answer. After any error the next call connects anew.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        let (mut head, mut body) = self.try_to_exchange(request).await?;
        for _ in 1..self.tries {
            if head.status != 503 {
                break;
            }
            sleep(PAUSE).await;
            (head, body) = self.try_to_exchange(request).await?;
        }
        Ok(Answer { status: head.status, head: &self.buffer[..head.end], body: &self.buffer[body] })
    }

    async fn try_to_exchange(&mut self, request: &[u8]) -> Result<(Head, Range<usize>)> {
        self.connect().await?;
        let result = match timeout(REQUEST_LIMIT, self.exchange(request)).await {
            Ok(result) => result,
            Err(_) => Err(format!("no answer within {} s", REQUEST_LIMIT.as_secs()).into()),
        };
        if result.as_ref().map_or(true, |(head, _)| head.close) {
            self.stream = None;
        }
        result
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<(Head, Range<usize>)> {
        let Some(stream) = self.stream.as_mut() else { return Err("not connected".into()) };
        stream.write_all(request).await?;
        self.buffer.clear();
        let mut head = None;
        loop {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection before the end of an answer".into());
            }
            if head.is_none() {
                head = parse_head(&self.buffer)?;
            }
            let end = match &head {
                None => None,
                Some(Head { end, framing: Framing::Length(length), .. }) => {
                    Some(end + length).filter(|end| self.buffer.len() >= *end)
                }
                Some(Head { end, framing: Framing::Chunked, .. }) => join_chunks(&mut self.buffer, *end)?,
            };
            if let Some(head) = head.take_if(|_| end.is_some()) {
                let body = head.end..end.unwrap_or(head.end);
                return Ok((head, body));
            }
            if self.buffer.len() > ANSWER_LIMIT {
                return Err("an answer is larger than 1 MiB".into());
            }
        }
    }
}

impl Answer<'_> {
    /// Every value of a header, in order. Parses again: only set-up and redirects ask.
    pub fn headers(&self, name: &str) -> Vec<String> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Response::new(&mut headers);
        if parsed.parse(self.head).is_err() {
            return Vec::new();
        }
        let matching = parsed.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        matching.map(|header| String::from_utf8_lossy(header.value).into_owned()).collect()
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.headers(name).into_iter().next()
    }

    /// A short description for an error message.
    pub fn describe(&self) -> String {
        let text = String::from_utf8_lossy(self.body);
        let start: String = text.chars().take(200).collect();
        format!("status {}: {}", self.status, start.replace('\n', " "))
    }
}

fn parse_head(buffer: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(end) = parsed.parse(buffer)? else { return Ok(None) };
    let status = parsed.code.unwrap_or(0);
    let mut framing = matches!(status, 204 | 304).then_some(Framing::Length(0));
    let mut close = false;
    for header in parsed.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            framing = Some(Framing::Length(std::str::from_utf8(header.value)?.trim().parse()?));
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            framing = header.value.eq_ignore_ascii_case(b"chunked").then_some(Framing::Chunked);
        } else if header.name.eq_ignore_ascii_case("connection") {
            close = header.value.eq_ignore_ascii_case(b"close");
        }
    }
    let framing = framing.ok_or("an answer that ends with its connection: this load generator reads none")?;
    Ok(Some(Head { status, end, framing, close }))
}

/// Once the last chunk is there, moves the chunks that begin at `start` together; the answer is where their text ends.
fn join_chunks(buffer: &mut [u8], start: usize) -> Result<Option<usize>> {
    let mut chunks = Vec::new();
    let mut at = start;
    loop {
        let rest = buffer.get(at..).unwrap_or_default();
        let size = httparse::parse_chunk_size(rest).map_err(|_| "a chunk without its size")?;
        let httparse::Status::Complete((head, length)) = size else { return Ok(None) };
        let text = at + head..at + head + usize::try_from(length)?.min(ANSWER_LIMIT + 1);
        // A line ends each chunk, and the last, empty one; trailers are not expected here.
        at = text.end + 2;
        if buffer.len() < at {
            return Ok(None);
        }
        if length == 0 {
            break;
        }
        chunks.push(text);
    }
    let mut end = start;
    for chunk in chunks {
        let length = chunk.len();
        buffer.copy_within(chunk, end);
        end += length;
    }
    Ok(Some(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_complete() -> Result<()> {
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nContent-Le")?.is_none());
        let head = parse_head(b"HTTP/1.1 303 See Other\r\nlocation: /x\r\nContent-Length: 12\r\n\r\n")?;
        let head = head.ok_or("incomplete")?;
        assert_eq!((head.status, head.framing, head.close), (303, Framing::Length(12), false));
        let closing = parse_head(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")?;
        assert!(closing.ok_or("incomplete")?.close);
        Ok(())
    }

    #[test]
    fn chunks_are_joined_when_the_last_is_there() -> Result<()> {
        let whole = b"head5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n";
        for length in 4..whole.len() {
            assert_eq!(join_chunks(&mut whole[..length].to_vec(), 4)?, None, "{length}");
        }
        let mut buffer = whole.to_vec();
        assert_eq!(join_chunks(&mut buffer, 4)?, Some(10));
        assert_eq!(&buffer[4..10], b"hello!");
        assert!(join_chunks(&mut b"zz\r\n".to_vec(), 0).is_err());
        let head = parse_head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        assert_eq!(head.ok_or("incomplete")?.framing, Framing::Chunked);
        Ok(())
    }

    #[test]
    fn only_a_patient_connection_asks_again_what_was_refused() -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let refuse_each_first = tokio::spawn(async move {
                for _ in 0..2 {
                    let mut stream = listener.accept().await?.0;
                    for status in ["503 Service Unavailable", "200 OK"] {
                        if stream.read(&mut [0; 64]).await? > 0 {
                            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                            stream.write_all(answer.as_bytes()).await?;
                        }
                    }
                }
                Ok::<(), crate::Error>(())
            });
            assert_eq!(Connection::new(address).send(b"GET /").await?.status, 503);
            assert_eq!(Connection::patient(address).send(b"GET /").await?.status, 200);
            refuse_each_first.await?
        })
    }

    #[test]
    fn an_answer_that_ends_with_its_connection_is_refused() {
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n").is_err());
    }
}
