//! What a person sees: views, texts, assets.

pub mod assets;
pub mod browser;
pub mod colour;
pub mod i18n;
pub mod links;
pub mod site;
pub mod views;

#[cfg(test)]
mod gallery;
