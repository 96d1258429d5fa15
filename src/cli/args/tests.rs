use clap::CommandFactory;

use super::client::{ClientCommand, ClientSettings};
use super::*;
use crate::cli::given::Given;
use crate::model::{Algorithm, IntrospectionPolicy, Lifetime, PkcePolicy, Ui};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

fn settings(line: &str) -> ClientSettings {
    let Command::Client(ClientCommand::Update(update)) = parse(line).unwrap().command else {
        unreachable!("an update")
    };
    update.settings
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn the_documented_lines_are_understood() {
    for line in [
        "chancery serve",
        "chancery --config x.toml serve",
        "chancery serve --config x.toml",
        "chancery try --port 9000 --demo-port 9001 --json",
        "chancery migrate",
        "chancery check-config",
        "chancery healthcheck",
        "chancery client create --name A --redirect-uri https://a/cb --redirect-uri https://a/2 --json",
        "chancery client create --name A --grant-type client_credentials --auth-method none --skip-consent",
        "chancery client create --name A --grant-type device_code --verification-uri-complete",
        "chancery client create --name A --grant-type urn:ietf:params:oauth:grant-type:device_code",
        "chancery client list --json",
        "chancery client create --name A --auth-method client_secret_jwt --token-endpoint-auth-signing-alg HS256",
        "chancery client create --name A --auth-method private_key_jwt --jwks keys.json",
        "chancery client update a --auth-method private_key_jwt --jwks-uri https://a/jwks",
        "chancery client update a --grant-type urn:ietf:params:oauth:grant-type:jwt-bearer",
        "chancery issuer add --issuer https://i --jwks-uri https://i/jwks --subject-claim username --json",
        "chancery client update a --grant-type token-exchange --token-exchange-policy any --may-act b",
        "chancery client update a --token-exchange-client b --token-exchange-client c",
        "chancery issuer list",
        "chancery issuer remove --issuer https://i",
        "chancery client show a",
        "chancery client revoke a --json",
        "chancery client delete a",
        "chancery client rotate-secret a --keep-old 3600 --json",
        "chancery user create --username u --email e@x --email-verified --group a --group b --password-stdin",
        "chancery user create --username u --generate-password --json",
        "chancery user list",
        "chancery user show u",
        "chancery user set-password u --generate-password",
        "chancery user set-password u --generate-password --keep-offline-access",
        "chancery user sign-out u --everything",
        "chancery user disable u",
        "chancery user disable u --everything --json",
        "chancery user enable u",
        "chancery user delete u",
        "chancery resource create https://api.example --name API --scope read --token-format opaque --json",
        "chancery resource update https://api.example --access-token-lifetime 60 --access-token-alg ES256",
        "chancery resource list",
        "chancery resource show https://api.example",
        "chancery resource delete https://api.example",
        "chancery scope create source:w --description en=Write --implies source:r --public",
        "chancery scope update source:w --public=false",
        "chancery scope list --json",
        "chancery scope show source:w",
        "chancery scope delete source:w",
        "chancery client create --name A --resource https://a --resource-server https://b --scope-strategy wildcard",
        "chancery client update a --token-format opaque --claim a=user.email --id-token-claim b=const:c",
        "chancery keys list --json",
        "chancery keys rotate --alg EdDSA --now",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn contradictions_and_unknown_words_are_refused() {
    for line in [
        "chancery",
        "chancery client create",
        "chancery user create --username u",
        "chancery user create --username u --password-stdin --generate-password",
        "chancery user create --username u --email-verified --generate-password",
        "chancery keys rotate --alg HS256",
        "chancery client update a --auth-method magic",
        "chancery client update a --refresh-token-lifetime -2",
        "chancery client update a --authorization-code-lifetime 601",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn an_update_tells_absent_from_given() {
    let none = settings("chancery client update a");
    assert!(none.skip_consent.is_none() && none.scope.is_none() && none.redirect_uris.is_empty());
    let some = settings(
        "chancery client update a --skip-consent=false --refresh-token-lifetime -1 \
         --id-token-alg ES256 --pkce optional --introspection-policy any --ui external",
    );
    assert_eq!(some.skip_consent, Some(false));
    assert_eq!(some.refresh_token_lifetime, Some(Given::Is(Lifetime::Unlimited)));
    assert_eq!(some.id_token_alg, Some(Given::Is(Algorithm::ES256)));
    assert_eq!(some.ui, Some(Given::Is(Ui::External)));
    assert_eq!(some.pkce, Some(Given::Is(PkcePolicy::Optional)));
    assert_eq!(some.introspection_policy, Some(Given::Is(IntrospectionPolicy::Any)));
}
