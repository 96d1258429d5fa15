//! Users as they are shown: in a list, one below the other, and as a document.

use serde_json::{Value, json};

use crate::cli::{Failure, output};
use crate::model::{Profile, Secret, User};

pub(super) fn list(users: &[User], as_json: bool) -> Result<(), Failure> {
    if as_json {
        let users: Vec<Value> = users.iter().map(|user| document(user, None)).collect::<Result<_, _>>()?;
        return output::json(&users);
    }
    if users.is_empty() {
        output::line(
            "there is no user; make one with `chancery user create --username NAME --generate-password`",
        )?;
        return Ok(());
    }
    let row = |user: &User| {
        vec![
            user.username.clone(),
            user.email.clone().unwrap_or_default(),
            user.profile.name.clone().unwrap_or_default(),
            if user.disabled { "disabled" } else { "enabled" }.to_owned(),
            user.id.to_string(),
        ]
    };
    let rows: Vec<_> = users.iter().map(row).collect();
    output::table(&["USERNAME", "EMAIL", "NAME", "STATE", "ID"], &rows)?;
    Ok(())
}

pub(super) fn one(user: &User, password: Option<&Secret>, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return output::json(&document(user, password)?);
    }
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let verified = |value: &Option<String>, verified: bool| match value {
        Some(value) if verified => format!("{value} (verified)"),
        Some(value) => value.clone(),
        None => String::new(),
    };
    output::record(&[
        ("id", user.id.to_string()),
        ("username", user.username.clone()),
        ("email", verified(&user.email, user.email_verified)),
        ("phone", verified(&user.phone_number, user.phone_number_verified)),
        ("name", text(&user.profile.name)),
        ("given name", text(&user.profile.given_name)),
        ("family name", text(&user.profile.family_name)),
        ("other claims", other_claims(&user.profile)?),
        ("groups", user.groups.join(" ")),
        ("disabled", output::yes_or_no(user.disabled)),
        ("created", output::moment(user.created_at)),
    ])?;
    if let Some(password) = password {
        self::password(password)?;
    }
    Ok(())
}

/// What has no line of its own, as it is set.
fn other_claims(profile: &Profile) -> Result<String, Failure> {
    let Value::Object(claims) = claims_of(profile)? else { return Ok(String::new()) };
    let own = ["name", "given_name", "family_name"];
    let others = claims.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let written = others.map(|(name, value)| {
        format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    });
    Ok(written.collect::<Vec<_>>().join(", "))
}

/// The claims by their names, those in a language beside those that are in none.
fn claims_of(profile: &Profile) -> Result<Value, Failure> {
    let mut claims = serde_json::to_value(profile)?;
    if let Some(members) = claims.as_object_mut()
        && let Some(Value::Object(localized)) = members.remove("localized")
    {
        members.extend(localized);
    }
    Ok(claims)
}

pub(super) fn password(password: &Secret) -> Result<(), Failure> {
    output::line(&format!("password: {}", password.expose()))?;
    output::line("The password is shown this once.")?;
    Ok(())
}

/// The claims under their OpenID Connect names, and what only the operator sees.
pub(super) fn document(user: &User, password: Option<&Secret>) -> Result<Value, Failure> {
    let mut document = json!({
        "id": user.id,
        "username": user.username,
        "email": user.email,
        "email_verified": user.email_verified,
        "phone_number": user.phone_number,
        "phone_number_verified": user.phone_number_verified,
        "groups": user.groups,
        "disabled": user.disabled,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    });
    if let (Some(members), Value::Object(profile)) = (document.as_object_mut(), claims_of(&user.profile)?) {
        members.extend(profile);
        if let Some(password) = password {
            members.insert("password".to_owned(), json!(password.expose()));
        }
    }
    Ok(document)
}
