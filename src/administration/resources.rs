//! Resources: APIs that clients may ask tokens for (RFC 8707).

use super::clients::unknown_algorithm;
use super::{Administration, Outcome, Refusal};
use crate::audit::Event;
use crate::model::Resource;
use crate::protocol::registration::InvalidMetadata;
use crate::protocol::resource;

impl Administration<'_> {
    pub(crate) async fn resource(&self, uri: &str) -> Outcome<Resource, Refusal> {
        let mut resources = self.storage.resources().await?.into_iter();
        resources.find(|resource| resource.id == uri).ok_or_else(|| Refusal::unknown(uri))
    }

    /// `problems` is what of the request could not be put into the resource.
    pub(crate) async fn create_resource(
        &self,
        resource: Resource,
        problems: Vec<InvalidMetadata>,
    ) -> Outcome<Resource, Refusal> {
        Refusal::of(self.resource_problems(&resource, problems))?;
        let noted = self.noted(Event::ResourceCreated { resource: &resource.id })?;
        Refusal::unless_new(self.storage.insert_resource(noted, &resource).await?, &resource.id)?;
        Ok(resource)
    }

    /// Changes what `amend` changes, which returns what it cannot.
    pub(crate) async fn update_resource(
        &self,
        uri: &str,
        amend: impl FnOnce(&mut Resource) -> Vec<InvalidMetadata>,
    ) -> Outcome<Resource, Refusal> {
        let mut resource = self.resource(uri).await?;
        let problems = amend(&mut resource);
        Refusal::of(self.resource_problems(&resource, problems))?;
        let noted = self.noted(Event::ResourceUpdated { resource: &resource.id })?;
        Refusal::unless_found(self.storage.update_resource(noted, &resource, self.now()).await?, uri)?;
        Ok(resource)
    }

    /// No token is issued for it any more.
    pub(crate) async fn delete_resource(&self, uri: &str) -> Outcome<(), Refusal> {
        let noted = self.noted(Event::ResourceDeleted { resource: uri })?;
        Refusal::unless_found(self.storage.delete_resource(noted, uri).await?, uri)
    }

    fn resource_problems(
        &self,
        resource: &Resource,
        mut problems: Vec<InvalidMetadata>,
    ) -> Vec<InvalidMetadata> {
        problems.extend(resource::check(resource));
        let algorithm = resource.access_token_signed_response_alg;
        problems.extend(unknown_algorithm("access_token_signed_response_alg", algorithm, self.settings));
        problems
    }
}
