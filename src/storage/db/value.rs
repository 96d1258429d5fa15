//! What is sent with a statement, and statements whose text is not the same for both databases.

/// A bound value: the three portable column types.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Text(&'a str),
    OptionalText(Option<&'a str>),
    Integer(i64),
    OptionalInteger(Option<i64>),
    Boolean(bool),
}

macro_rules! values {
    ($($from:ty => $variant:ident),+ $(,)?) => {$(
        impl<'a> From<$from> for Value<'a> {
            fn from(value: $from) -> Self {
                Self::$variant(value)
            }
        }
    )+};
}

values! {
    &'a str => Text,
    Option<&'a str> => OptionalText,
    i64 => Integer,
    Option<i64> => OptionalInteger,
    bool => Boolean,
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(value)
    }
}

/// A statement that locks rows which it only reads. Postgres has to be told so; SQLite has one writer.
#[derive(Debug, Clone, Copy)]
pub struct Locking {
    pub postgres: &'static str,
    pub sqlite: &'static str,
}

/// Lists bound values of mixed types: `values![id.as_str(), now, true]`.
macro_rules! values_list {
    ($($value:expr),* $(,)?) => { &[$($crate::storage::db::Value::from($value)),*] };
}
pub(in crate::storage) use values_list as values;
