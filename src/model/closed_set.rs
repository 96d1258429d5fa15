//! Closed sets of names: what a standard's registry or a column of ours may hold, and nothing else.
//!
//! Each set is one list with the name beside its member. Documents, columns, metadata and the command line take the names
//! from it, so that they cannot come to differ (docs/adr/0060).

/// A set whose members and names are listed once, by `closed_set!`.
pub trait ClosedSet: Copy + Send + Sync + 'static {
    /// The members, in the order of the list.
    const MEMBERS: &'static [Self];

    /// The registered name.
    fn name(self) -> &'static str;
}

/// An enum from a list of members and their names. With `: Serialize + Deserialize` it also goes by these names in documents.
///
/// The order of the list is the one in which metadata, help and errors name the members.
macro_rules! closed_set {
    (
        $(#[$note:meta])*
        $vis:vis enum $set:ident: Serialize + Deserialize {
            $($(#[$about:meta])* $member:ident = $name:literal,)+
        }
    ) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        $(#[$note])*
        $vis enum $set { $($(#[$about])* #[serde(rename = $name)] $member,)+ }

        $crate::model::closed_set::names! { $vis $set { $($member = $name,)+ } }
    };
    (
        $(#[$note:meta])*
        $vis:vis enum $set:ident {
            $($(#[$about:meta])* $member:ident = $name:literal,)+
        }
    ) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $(#[$note])*
        $vis enum $set { $($(#[$about])* $member,)+ }

        $crate::model::closed_set::names! { $vis $set { $($member = $name,)+ } }
    };
}

/// What every closed set can do.
macro_rules! names {
    ($vis:vis $set:ident { $($member:ident = $name:literal,)+ }) => {
        impl $set {
            $vis const ALL: [Self; [$($name),+].len()] = [$(Self::$member),+];

            /// The registered name.
            $vis const fn as_str(self) -> &'static str {
                match self { $(Self::$member => $name,)+ }
            }

            /// The member of exactly this name.
            $vis fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$member),)+ _ => None }
            }
        }

        impl std::fmt::Display for $set {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::model::ClosedSet for $set {
            const MEMBERS: &'static [Self] = &Self::ALL;

            fn name(self) -> &'static str {
                self.as_str()
            }
        }
    };
}

pub(super) use {closed_set, names};

/// All names of a set, as `a, b or c`.
pub(crate) fn any_of<T: ClosedSet>() -> String {
    let names: Vec<&str> = T::MEMBERS.iter().map(|member| member.name()).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    closed_set! {
        /// Names as the standards have them, with spaces, colons and capitals.
        enum Colour: Serialize + Deserialize {
            Red = "red",
            DarkRed = "red dark",
            Blue = "urn:colour:Blue",
        }
    }

    #[test]
    fn a_member_has_one_name_everywhere() {
        for colour in Colour::ALL {
            assert_eq!(Colour::named(colour.as_str()), Some(colour));
            assert_eq!(colour.to_string(), colour.as_str());
            assert_eq!(json!(colour), json!(colour.as_str()));
            assert_eq!(serde_json::from_value::<Colour>(json!(colour.as_str())).unwrap(), colour);
        }
        assert_eq!(Colour::MEMBERS, Colour::ALL);
    }

    #[test]
    fn a_name_that_is_not_in_the_list_is_no_member() {
        for unknown in ["", "Red", "red ", "dark red", "Blue", "urn:colour:blue"] {
            assert_eq!(Colour::named(unknown), None, "{unknown}");
            let error = serde_json::from_value::<Colour>(json!(unknown)).unwrap_err().to_string();
            assert!(error.contains("`red`, `red dark`, `urn:colour:Blue`"), "{error}");
        }
    }

    #[test]
    fn the_names_are_listed_in_the_order_of_the_list() {
        assert_eq!(any_of::<Colour>(), "red, red dark or urn:colour:Blue");
    }
}
