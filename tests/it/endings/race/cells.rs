//! Which endings there are, which creations, and what happens where the two meet.

macro_rules! listed {
    ($(#[$doc:meta])* $name:ident { $($variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($variant),+ }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

listed! {
    /// Something that ends what others came from.
    Ending {
        PasswordSet => "password set by the operator",
        PasswordChanged => "password changed by the user",
        Disabled => "user disabled",
        Deleted => "user deleted",
        SignedOut => "signed out here",
        SignedOutOfAll => "signed out of all accounts",
        SignedOutByOperator => "signed out by the operator",
        AccessTakenBack => "access taken back",
        ClientDeleted => "client deleted",
        GrantTypeTaken => "grant type taken from the client",
        RedirectUriTaken => "redirect URI taken from the client",
        ScopeTaken => "scope taken from the client",
        ResourceTaken => "resource taken from the client",
        KeyWithdrawn => "signing key withdrawn",
    }
}

listed! {
    /// Something that comes from a sign-in, a session, a yes or a grant.
    Creation {
        Session => "session",
        Renewal => "renewed session",
        Form => "grant by form",
        Silent => "silent grant",
        Device => "device approval",
        ExternalLogin => "external login",
        ExternalConsent => "external consent",
        Code => "code exchange",
        Refresh => "refresh",
        Exchange => "token exchange",
        Assertion => "assertion grant",
        Password => "password grant",
    }
}

/// What is left of a creation once both are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    /// Nothing of it is good any more, whichever came first.
    Dies,
    /// What was given out before is good for its time; nothing more is given out.
    NoMore,
    /// It is good without what was taken, and nothing more of that is given out.
    Less,
    /// It is good only if it was signed by another key.
    OtherKey,
    /// Nothing of it is good that began before. What begins after is, and in a race nobody can tell.
    Anew,
    /// It does not come from what ends.
    Apart,
}

impl Meeting {
    /// Whether what is left of it is looked at.
    pub fn is_judged(self) -> bool {
        match self {
            Self::Dies | Self::NoMore | Self::Less | Self::OtherKey => true,
            Self::Anew | Self::Apart => false,
        }
    }

    pub fn of(creation: Creation, ending: Ending) -> Self {
        use Creation as C;
        use Ending as E;
        match (ending, creation) {
            // Of what was granted that is left out. Each token here has nothing but its resource.
            (E::ScopeTaken | E::ResourceTaken, C::Session | C::Renewal | C::ExternalLogin) => Self::Apart,
            (E::ScopeTaken, _) => Self::Less,
            (E::ResourceTaken, _) => Self::Dies,
            // Another issuer's word, asked for anew each time.
            (E::Disabled | E::Deleted | E::ClientDeleted, C::Assertion) => Self::Dies,
            (E::GrantTypeTaken, C::Code | C::Refresh | C::Exchange | C::Assertion | C::Password) => {
                Self::NoMore
            }
            (E::KeyWithdrawn, C::Code | C::Refresh | C::Exchange | C::Assertion | C::Password) => {
                Self::OtherKey
            }
            (E::KeyWithdrawn, _) | (_, C::Assertion) => Self::Apart,
            // Offline access is kept through a new password and a sign-out (docs/adr/0016).
            (E::Disabled | E::Deleted | E::AccessTakenBack | E::ClientDeleted, C::Refresh) => Self::Dies,
            (_, C::Refresh) => Self::Apart,
            // The password is still right.
            (E::SignedOutByOperator, C::Session | C::Renewal | C::Password) => Self::Anew,
            (E::PasswordSet | E::PasswordChanged | E::Disabled | E::Deleted | E::SignedOutByOperator, _) => {
                Self::Dies
            }
            // Whoever proves again who they are begins anew, in a session or without one.
            (_, C::Session | C::Renewal | C::ExternalLogin) => Self::Apart,
            (E::ClientDeleted, C::Password) => Self::Dies,
            (_, C::Password) => Self::Apart,
            // A yes after it is a new yes.
            (E::AccessTakenBack, C::Form | C::Device) => Self::Apart,
            (E::RedirectUriTaken, C::Code) => Self::NoMore,
            (E::RedirectUriTaken, C::Device | C::Exchange) => Self::Apart,
            _ => Self::Dies,
        }
    }
}
