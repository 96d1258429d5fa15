//! Servers are compared only where their tokens are signed alike: what each client must get, and what a token is.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::Result;
use crate::target::text;

/// The name of the client whose own tokens are like this one.
pub fn kind_of_token(token: &str) -> Result<&'static str> {
    let Some(algorithm) = algorithm(token) else { return Ok("machine-opaque") };
    match algorithm.as_str() {
        "ES256" => Ok("machine-es256"),
        "EdDSA" => Ok("machine-eddsa"),
        "RS256" => Ok("machine-rs256"),
        other => Err(format!("its access tokens are signed with {other}, which is not compared").into()),
    }
}

/// Is a token response what the client of this name stands for?
pub fn check(client: &str, answer: &Value) -> Result<()> {
    let (access, id) = match client {
        "web-es256" => ("machine-es256", Some("ES256")),
        "web-rs256" => ("machine-es256", Some("RS256")),
        "web-opaque" => ("machine-opaque", None),
        machine => (machine, None),
    };
    let found = kind_of_token(&text(answer, "access_token")?)?;
    if found != access {
        return Err(format!("{client} gets access tokens like those of {found}").into());
    }
    let Some(expected) = id else { return Ok(()) };
    match algorithm(&text(answer, "id_token")?) {
        Some(found) if found == expected => Ok(()),
        found => Err(format!("{client} gets ID tokens signed with {found:?}").into()),
    }
}

/// Of a JWT (RFC 7515 7.1); anything else is opaque.
fn algorithm(token: &str) -> Option<String> {
    let [header, _, _] = token.split('.').collect::<Vec<_>>()[..] else { return None };
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    header["alg"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn jwt(algorithm: &str) -> String {
        let header = json!({ "alg": algorithm, "typ": "at+jwt" }).to_string();
        format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn a_token_tells_what_it_is() -> Result<()> {
        assert_eq!(kind_of_token(&jwt("ES256"))?, "machine-es256");
        assert_eq!(kind_of_token(&jwt("EdDSA"))?, "machine-eddsa");
        assert_eq!(kind_of_token(&jwt("RS256"))?, "machine-rs256");
        assert!(kind_of_token(&jwt("PS512")).is_err());
        for opaque in ["abc", "a.b", "a.b.c", "a.b.c.d.e"] {
            assert_eq!(kind_of_token(opaque)?, "machine-opaque");
        }
        Ok(())
    }

    #[test]
    fn a_client_must_get_what_it_stands_for() {
        let answer = |access: &str, id: &str| json!({ "access_token": access, "id_token": id });
        let (es256, rs256) = (jwt("ES256"), jwt("RS256"));
        let right = |client, access, id| check(client, &answer(access, id)).is_ok();
        assert!(right("machine-es256", &es256, "") && !right("machine-es256", &rs256, ""));
        assert!(right("machine-opaque", "abc", "") && !right("machine-opaque", &es256, ""));
        assert!(right("web-es256", &es256, &es256) && !right("web-es256", &es256, &rs256));
        assert!(right("web-rs256", &es256, &rs256) && !right("web-rs256", &rs256, &rs256));
        assert!(right("web-opaque", "abc", &rs256) && !right("web-opaque", &es256, &rs256));
        assert!(check("web-es256", &json!({ "access_token": es256 })).is_err());
    }
}
