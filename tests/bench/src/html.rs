//! Just enough HTML to fill in the server's own sign-in and consent forms: hidden inputs and the action.

/// One form: where it posts to, and its hidden fields.
#[derive(Debug, Default, PartialEq)]
pub struct Form {
    pub action: String,
    pub hidden: Vec<(String, String)>,
    has_password: bool,
}

impl Form {
    pub fn is_login(&self) -> bool {
        self.has_password
    }
}

/// The forms of a page, in order.
pub fn forms(page: &str) -> Vec<Form> {
    let mut found: Vec<Form> = Vec::new();
    let mut open = false;
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let (name, attributes, after) = tag(rest);
        rest = after;
        match name.as_str() {
            "form" => {
                found.push(Form { action: value(&attributes, "action"), ..Form::default() });
                open = true;
            }
            "/form" => open = false,
            "input" if open => {
                if let Some(form) = found.last_mut() {
                    add_input(form, &attributes);
                }
            }
            _ => {}
        }
    }
    found
}

fn add_input(form: &mut Form, attributes: &[(String, String)]) {
    match value(attributes, "type").as_str() {
        "hidden" => form.hidden.push((value(attributes, "name"), value(attributes, "value"))),
        "password" => form.has_password = true,
        _ => {}
    }
}

fn value(attributes: &[(String, String)], name: &str) -> String {
    attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

/// Reads a tag after its `<`: name, attributes, and what follows its `>`.
fn tag(text: &str) -> (String, Vec<(String, String)>, &str) {
    let name_end = text.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(text.len());
    let name = text[..name_end].to_ascii_lowercase();
    let mut attributes = Vec::new();
    let mut rest = &text[name_end..];
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return (name, attributes, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (name, attributes, after);
        }
        let (key, value, after) = attribute(rest);
        attributes.push((key, value));
        rest = after;
    }
}

fn attribute(text: &str) -> (String, String, &str) {
    // The first character always belongs to the name, so that every call makes progress.
    let first = text.chars().next().map_or(0, char::len_utf8);
    let stop = |c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/');
    let key_end = text[first..].find(stop).map_or(text.len(), |at| at + first);
    let key = text[..key_end].to_ascii_lowercase();
    let Some(rest) = text[key_end..].trim_start().strip_prefix('=') else {
        return (key, String::new(), &text[key_end..]);
    };
    let rest = rest.trim_start();
    for quote in ['"', '\''] {
        if let Some(quoted) = rest.strip_prefix(quote) {
            let end = quoted.find(quote).unwrap_or(quoted.len());
            return (key, unescape(&quoted[..end]), quoted.get(end + 1..).unwrap_or(""));
        }
    }
    let end = rest.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(rest.len());
    (key, unescape(&rest[..end]), &rest[end..])
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let decoded = rest.find(';').and_then(|end| Some((entity(&rest[1..end])?, end)));
        match decoded {
            Some((character, end)) => {
                plain.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                plain.push('&');
                rest = &rest[1..];
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => return Some('&'),
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "quot" => return Some('"'),
        "apos" => return Some('\''),
        _ => {}
    }
    let number = name.strip_prefix('#')?;
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_fields_and_action_are_found_whatever_the_order() {
        let page = r#"<!doctype html><form method=post action="/login?a=1&amp;b=2">
            <input type="hidden" name="request" value="r&#38;1"/><input value='c"1' name=csrf type=hidden>
            <input name="username" required><input type="password" name="password"></form>
            <input type="hidden" name="outside" value="no">
            <form action="/consent"><input type="hidden" name="csrf" value="&#x27;"></form>"#;
        let found = forms(page);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].action, "/login?a=1&b=2");
        let hidden = [("request", "r&1"), ("csrf", "c\"1")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(found[0].hidden, hidden);
        assert!(found[0].is_login());
        assert_eq!(found[1].hidden, [("csrf".to_owned(), "'".to_owned())]);
        assert!(!found[1].is_login());
    }

    #[test]
    fn broken_markup_ends() {
        for page in
            ["<", "<form", "<form action=", "<form =x", "<input type=\"hidden", "<form a&b='&;&#x;'", "<é"]
        {
            let _ = forms(page);
        }
    }
}
