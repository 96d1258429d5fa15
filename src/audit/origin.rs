//! Where the request came from that is being answered on this thread, for the entries that it leads to.
//!
//! It is not passed from hand to hand as everything else is: nothing but the audit log asks for it, every room leads to
//! an entry, and no rule may depend on it. The middleware sets it around each poll of a request's future.

use std::cell::RefCell;
use std::net::IpAddr;

use axum::http::HeaderValue;

use crate::http::middleware::RequestId;

/// What is known of a request before anything of it is believed.
#[derive(Debug, Clone)]
pub struct Origin {
    /// By the rules for trusted proxies.
    pub address: IpAddr,
    pub user_agent: Option<HeaderValue>,
    pub request_id: RequestId,
}

thread_local! {
    static CURRENT: RefCell<Option<Origin>> = const { RefCell::new(None) };
}

/// Runs `poll` with `origin` as where the request came from. `poll` must not unwind.
pub fn within<T>(origin: &mut Option<Origin>, poll: impl FnOnce() -> T) -> T {
    CURRENT.with_borrow_mut(|current| std::mem::swap(current, origin));
    let polled = poll();
    CURRENT.with_borrow_mut(|current| std::mem::swap(current, origin));
    polled
}

/// None outside of a request.
pub(super) fn current() -> Option<Origin> {
    CURRENT.with_borrow(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_is_there_while_its_request_is_polled_and_not_after() {
        let origin = |last| Origin {
            address: IpAddr::from([192, 0, 2, last]),
            user_agent: None,
            request_id: RequestId::random(),
        };
        let address = || current().map(|origin| origin.address);
        let (mut first, mut second) = (Some(origin(1)), Some(origin(2)));
        for _ in 0..2 {
            let seen = within(&mut first, || (within(&mut second, address), address()));
            assert_eq!(seen, (Some([192, 0, 2, 2].into()), Some([192, 0, 2, 1].into())));
            assert_eq!(address(), None);
        }
    }
}
