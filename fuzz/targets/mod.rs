//! What is done with bytes of strangers: every parser that sees the network, and what must hold of whatever it accepts.
//! A target panics when something does not hold. Here for coverage-guided fuzzing (scripts/fuzz) and for the test that
//! replays the corpus and mutates it at random (tests/it/fuzzing).

mod documents;
mod requests;
mod texts;
mod tokens;

/// A target, by the name of its folder in the corpus.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 24] = [
    ("assertion", tokens::assertion),
    ("authorization", requests::authorization),
    ("basic", requests::basic),
    ("bearer", requests::bearer),
    ("claims", requests::claims),
    ("form", requests::form),
    ("forwarded", requests::forwarded),
    ("handle", tokens::handle),
    ("hook", documents::hook),
    ("jwe", tokens::jwe),
    ("jwks", documents::jwks),
    ("known_browser", tokens::known_browser),
    ("name", texts::name),
    ("opaque", tokens::opaque),
    ("redirect_uri", texts::redirect_uri),
    ("registration", documents::registration),
    ("request_object", tokens::request_object),
    ("resource", texts::resource),
    ("scope", texts::scope),
    ("statement", tokens::statement),
    ("user_code", texts::user_code),
    ("user_name", texts::user_name),
    ("verifier", texts::verifier),
    ("webfinger", texts::webfinger),
];

/// The parts of the bytes between line ends, the last one with everything that is left.
fn lines<const N: usize>(data: &[u8]) -> Option<[&[u8]; N]> {
    let mut parts = data.splitn(N, |byte| *byte == b'\n');
    let lines = [(); N].map(|()| parts.next());
    lines.iter().all(Option::is_some).then(|| lines.map(Option::unwrap_or_default))
}
