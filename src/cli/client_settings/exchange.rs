//! Whose tokens a client may exchange, and for what.

use clap::Args;

use crate::cli::given::{self, Given, replace, set_text, word};
use crate::model::{ClientExchange, TokenExchangePolicy};

/// A part of the settings of a client; they are read like the rest of them.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ExchangeArgs {
    /// What the client may exchange tokens for: delegation (they name who acts), impersonation (they don't), any.
    #[arg(long, value_name = "POLICY", value_parser = word::<TokenExchangePolicy>)]
    pub token_exchange_policy: Option<Given<TokenExchangePolicy>>,
    /// A client whose access tokens it may exchange beside its own and those it is the audience of; * means every
    /// client's, for the operator's own applications. May be repeated.
    #[arg(long = "token-exchange-client", value_name = "CLIENT_ID")]
    pub token_exchange_clients: Vec<String>,
    /// Who alone may act for the subjects of this client's tokens, by their sub: a client_id or a user's id.
    #[arg(long, value_name = "SUB")]
    pub may_act: Option<String>,
}

impl ExchangeArgs {
    /// Puts what was given into `place`.
    pub(crate) fn apply(self, place: &mut ClientExchange) {
        given::set(&mut place.token_exchange_policy, self.token_exchange_policy);
        replace(&mut place.token_exchange_clients, self.token_exchange_clients);
        set_text(&mut place.may_act, self.may_act);
    }
}
