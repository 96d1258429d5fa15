//! What real processes run on: a database with a client and a user.

use std::sync::Arc;

use chancery::clock::Clock;
use serde_json::{Value, json};

use super::{Kind, Registration, START, TestServer};

/// The pages run in this process, at the time of the real ones.
pub struct Deployment {
    pub pages: TestServer,
    pub client: Arc<Registration>,
}

impl Deployment {
    pub async fn prepare(kind: Kind) -> Self {
        Self::prepare_with(kind, &[]).await
    }

    pub async fn prepare_with(kind: Kind, settings: &[(&str, &str)]) -> Self {
        let pages = TestServer::start_with(kind, settings).await;
        pages.advance(Clock::System.now().since(START));
        pages.user("ada").await;
        let client = Arc::new(pages.client(json!({})).await);
        Self { pages, client }
    }

    /// The settings of the processes, with these of their own.
    pub fn with(&self, settings: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = settings.iter().map(|(name, value)| (format!("CHANCERY_{name}"), (*value).to_owned()));
        let mut environment = self.pages.environment.clone();
        environment.extend(own);
        environment
    }

    pub async fn tokens(&self) -> Value {
        self.pages.tokens(&self.client, "ada").await
    }
}
