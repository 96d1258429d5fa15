//! A name of a closed set on the command line, which is listed there as it is in `model`.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::model::ClosedSet;

/// Reads a registered name. Of a URN its last word is enough.
pub(super) fn one_of<T: ClosedSet>() -> impl TypedValueParser<Value = T> {
    let names = T::MEMBERS.iter().map(|member| PossibleValue::new(member.name()).alias(short(member.name())));
    PossibleValuesParser::new(names).try_map(|text| {
        let given = |member: &&T| [member.name(), short(member.name())].contains(&text.as_str());
        T::MEMBERS.iter().find(given).copied().ok_or("it is none of these")
    })
}

fn short(name: &'static str) -> &'static str {
    name.rsplit(':').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command};

    use super::*;
    use crate::model::{AuthMethod, GrantType};

    fn read<T: ClosedSet>(text: &str) -> Option<T> {
        let command = Command::new("c").arg(Arg::new("a").value_parser(one_of::<T>()));
        command.try_get_matches_from(["c", text]).ok()?.remove_one("a")
    }

    #[test]
    fn every_member_is_read_by_its_name_and_a_urn_by_its_last_word_too() {
        for grant_type in GrantType::ALL {
            assert_eq!(read(grant_type.as_str()), Some(grant_type));
            assert_eq!(read(short(grant_type.as_str())), Some(grant_type));
        }
        for method in AuthMethod::ALL {
            assert_eq!(read(method.as_str()), Some(method));
        }
        for unknown in ["", "Implicit", "oauth", "urn:ietf:params:oauth:grant-type:implicit"] {
            assert_eq!(read::<GrantType>(unknown), None, "{unknown}");
        }
    }
}
