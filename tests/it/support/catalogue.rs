//! Registered resources and scopes.

use serde_json::{Value, json};

use super::server::{START, TestServer};
use chancery::model::Noted;

impl TestServer {
    /// Registers a resource with these members of its document beside the URI.
    pub async fn resource(&self, uri: &str, members: Value) {
        let mut resource = json!({"resource": uri, "resource_name": "An API", "created_at": START});
        resource.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let resource = serde_json::from_value(resource).unwrap();
        assert!(self.app.storage.insert_resource(Noted::nothing(), &resource).await.unwrap());
        self.app.reload_registry().await.unwrap();
    }

    /// Registers a scope with these members of its document beside the name.
    pub async fn scope(&self, name: &str, members: Value) {
        let mut scope = json!({"scope": name, "created_at": START});
        scope.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let scope = serde_json::from_value(scope).unwrap();
        assert!(self.app.storage.insert_scope(Noted::nothing(), &scope).await.unwrap());
        self.app.reload_registry().await.unwrap();
    }
}
