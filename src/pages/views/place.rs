//! Where access is used: the resources that a page names.

use crate::model::{Allowed, Catalogue, NewAccess};
use crate::protocol::resource::Target;

/// A resource by its name.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub name: String,
    /// The application had access before, and none of it there.
    pub is_new: bool,
}

impl Place {
    /// What a request is for.
    pub(crate) fn all(target: &Target, before: &Allowed, new: &NewAccess) -> Vec<Self> {
        let is_new = |id: &str| !before.is_empty() && new.resources.iter().any(|resource| resource == id);
        target.named().map(|(id, name)| Self { name: name.to_owned(), is_new: is_new(id) }).collect()
    }

    /// What was allowed before.
    pub(crate) fn allowed(allowed: &Allowed, catalogue: &Catalogue) -> Vec<String> {
        let name = |id: &String| catalogue.resource(id).map_or(id.as_str(), |known| &known.name).to_owned();
        allowed.resources.keys().map(name).collect()
    }
}
