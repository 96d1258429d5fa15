//! The request that is being answered on this thread: what the log, the audit log and an error page say of it.
//!
//! It is not passed from hand to hand as everything else is: nothing but these ask for it, every room leads to a line
//! or an entry, and no rule may depend on it. The middleware sets it around each poll of a request's future. A span would
//! name a request in the log too, but it is written out for each request, and hardly one of them has a line.

mod failure;
mod id;
mod user_agent;

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::IpAddr;

use axum::http::{HeaderValue, Method, Uri};

pub(crate) use failure::log;
pub(crate) use id::{RequestId, X_REQUEST_ID};
pub(crate) use user_agent::bounded_user_agent;

/// What is known of a request before anything of it is believed.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    pub id: RequestId,
    /// By the rules for trusted proxies.
    pub address: IpAddr,
    pub user_agent: Option<HeaderValue>,
    pub method: Method,
    pub uri: Uri,
}

/// The longest path that goes into the log.
const LONGEST_PATH: usize = 200;

impl Facts {
    /// Without the query, which may hold codes and states.
    pub(crate) fn path(&self) -> &str {
        let path = self.uri.path();
        &path[..path.floor_char_boundary(LONGEST_PATH)]
    }
}

/// As in a line of the log.
impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, method, path) = (self.id.as_str(), self.method.as_str(), self.path());
        write!(f, "request{{id={id:?} method={method:?} path={path:?}}}")
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Facts>> = const { RefCell::new(None) };
}

/// Runs `poll` with `facts` as what is known of its request.
pub(crate) fn within<T>(facts: &mut Option<Facts>, poll: impl FnOnce() -> T) -> T {
    let _exchanged = Exchanged::new(facts);
    poll()
}

/// A task of its own that belongs to the same request.
pub(crate) fn carried<F: Future>(task: F) -> impl Future<Output = F::Output> {
    let (mut facts, mut task) = (with(|facts| facts.cloned()), Box::pin(task));
    poll_fn(move |cx| within(&mut facts, || task.as_mut().poll(cx)))
}

/// Looks at what is known: None outside of a request.
pub(crate) fn with<T>(look: impl FnOnce(Option<&Facts>) -> T) -> T {
    CURRENT.with_borrow(|current| look(current.as_ref()))
}

/// Changed places with what is current, until it is dropped.
struct Exchanged<'f>(&'f mut Option<Facts>);

impl<'f> Exchanged<'f> {
    fn new(facts: &'f mut Option<Facts>) -> Self {
        CURRENT.with_borrow_mut(|current| std::mem::swap(current, facts));
        Self(facts)
    }
}

impl Drop for Exchanged<'_> {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| std::mem::swap(current, self.0));
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    fn facts(last: u8) -> Option<Facts> {
        Some(Facts {
            id: RequestId::random(),
            address: IpAddr::from([192, 0, 2, last]),
            user_agent: None,
            method: Method::GET,
            uri: Uri::from_static("/"),
        })
    }

    fn address() -> Option<IpAddr> {
        with(|facts| facts.map(|facts| facts.address))
    }

    #[test]
    fn the_facts_are_there_while_their_request_is_polled_and_not_after() {
        let (mut first, mut second) = (facts(1), facts(2));
        for _ in 0..2 {
            let seen = within(&mut first, || (within(&mut second, address), address()));
            assert_eq!(seen, (Some([192, 0, 2, 2].into()), Some([192, 0, 2, 1].into())));
            assert_eq!(address(), None);
        }
        let panicked = catch_unwind(|| within(&mut facts(3), || panic!("on purpose")));
        assert!(panicked.is_err());
        assert_eq!(address(), None, "nor after a panic");
    }

    #[tokio::test]
    async fn a_task_may_carry_them_on() {
        let task = within(&mut facts(1), || carried(async { address() }));
        assert_eq!(tokio::spawn(task).await.unwrap(), Some([192, 0, 2, 1].into()));
        assert_eq!(address(), None);
    }

    #[test]
    fn a_long_path_is_cut_and_a_query_never_shown() {
        let uri = format!("/{}?code=hunter2", "a".repeat(300));
        let long = Facts { uri: uri.parse().unwrap(), ..facts(1).unwrap() };
        assert_eq!(long.path().len(), LONGEST_PATH);
        let short = Facts { uri: "/token?code=hunter2".parse().unwrap(), ..facts(1).unwrap() };
        assert_eq!(
            short.to_string(),
            format!("request{{id=\"{}\" method=\"GET\" path=\"/token\"}}", short.id)
        );
    }
}
