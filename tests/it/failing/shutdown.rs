//! SIGTERM in the middle of a sign-in.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{Deployment, PASSWORD, Process, hidden, on_both, query_of};

on_both! {
    async fn a_sign_in_that_began_before_a_restart_goes_on_after_it(kind: Kind) {
        // A password takes a while, so that the process ends meanwhile.
        let slow = [("PASSWORDS__ITERATIONS", "20"), ("PASSWORDS__MEMORY_KIB", "65536")];
        let deployment = Deployment::prepare_with(kind, &slow).await;
        let (pages, client) = (&deployment.pages, &deployment.client);
        let mut browser = pages.browser();
        let before = Arc::new(Process::start(&pages.environment).await);
        browser.visit(&before);
        let first = browser.get(&pages.authorization(client, &[])).await;
        let page = browser.follow(first).await;
        assert_eq!(hidden(&page, "request").len(), 22, "the sign-in page: {page:?}");
        let stop = async {
            tokio::time::sleep(Duration::from_millis(40)).await;
            before.terminate();
        };
        let (answer, ()) = tokio::join!(browser.sign_in(&page, "ada", PASSWORD), stop);
        assert_eq!(answer.status, 303, "the page in flight is answered: {answer:?}");
        browser.leave();
        assert_eq!(Arc::into_inner(before).unwrap().ended().await, Some(0));

        let after = Arc::new(Process::start(&pages.environment).await);
        browser.visit(&after);
        let consent = browser.follow(answer).await;
        let done = browser.decide(&consent, "allow").await;
        let code = query_of(done.location(), "code").unwrap_or_else(|| panic!("{done:?}"));
        assert_eq!(pages.redeem(client, &code).await.status, 200);
    }
}
