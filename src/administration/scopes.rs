//! What is registered of scopes: what they mean, and which others they imply.

use super::{Administration, Outcome, Refusal};
use crate::audit::Event;
use crate::model::RegisteredScope;
use crate::protocol::registration::InvalidMetadata;
use crate::protocol::scope;

impl Administration<'_> {
    pub(crate) async fn scope(&self, name: &str) -> Outcome<RegisteredScope, Refusal> {
        let mut scopes = self.storage.scopes().await?.into_iter();
        scopes.find(|scope| scope.name.as_str() == name).ok_or_else(|| Refusal::unknown(name))
    }

    /// `problems` is what of the request could not be put into the scope.
    pub(crate) async fn create_scope(
        &self,
        scope: RegisteredScope,
        problems: Vec<InvalidMetadata>,
    ) -> Outcome<RegisteredScope, Refusal> {
        Refusal::of(scope_problems(&scope, problems))?;
        let noted = self.noted(Event::ScopeCreated { scope: scope.name.as_str() })?;
        Refusal::unless_new(self.storage.insert_scope(noted, &scope).await?, scope.name.as_str())?;
        Ok(scope)
    }

    /// Changes what `amend` changes, which returns what it cannot.
    pub(crate) async fn update_scope(
        &self,
        name: &str,
        amend: impl FnOnce(&mut RegisteredScope) -> Vec<InvalidMetadata>,
    ) -> Outcome<RegisteredScope, Refusal> {
        let mut scope = self.scope(name).await?;
        let problems = amend(&mut scope);
        Refusal::of(scope_problems(&scope, problems))?;
        let noted = self.noted(Event::ScopeUpdated { scope: scope.name.as_str() })?;
        Refusal::unless_found(self.storage.update_scope(noted, &scope, self.now()).await?, name)?;
        Ok(scope)
    }

    /// Forgets what is registered of a scope.
    pub(crate) async fn delete_scope(&self, name: &str) -> Outcome<(), Refusal> {
        let noted = self.noted(Event::ScopeDeleted { scope: name })?;
        Refusal::unless_found(self.storage.delete_scope(noted, name).await?, name)
    }
}

fn scope_problems(scope: &RegisteredScope, mut problems: Vec<InvalidMetadata>) -> Vec<InvalidMetadata> {
    problems.extend(scope::check(scope));
    problems
}
