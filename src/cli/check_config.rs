//! `chancery check-config`: every problem at once, or that there is none.

use std::io::{self, Write};

use super::output;
use crate::config::{Problems, Settings};
use crate::server::tls::Tls;

/// Prints the verdict, and returns whether the configuration is valid. Weaker choices are told, but
/// are no problem.
pub(super) fn run(settings: &Result<Settings, Problems>, output: &mut impl Write) -> io::Result<bool> {
    match settings {
        Ok(settings) => {
            if let Some(error) = settings.server.tls.as_ref().and_then(|files| Tls::check(files).err()) {
                writeln!(output, "{error}")?;
                return Ok(false);
            }
            for warning in settings.warnings() {
                writeln!(output, "warning: {warning}")?;
            }
            writeln!(output, "configuration is valid")?;
        }
        Err(problems) => writeln!(output, "{}", output::lines(problems))?,
    }
    Ok(settings.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(environment: &[(&str, &str)]) -> (bool, String) {
        let environment = environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let mut output = Vec::new();
        let valid = run(&Settings::load(None, environment), &mut output).unwrap();
        (valid, String::from_utf8(output).unwrap())
    }

    #[test]
    fn a_valid_configuration_is_called_valid_after_its_warnings() {
        let (valid, text) = verdict(&[]);
        assert!(valid && text.starts_with("warning: server.issuer is http://localhost:8080"), "{text}");
        assert!(text.ends_with("configuration is valid\n"), "{text}");
        let (_, text) = verdict(&[("CHANCERY_SERVER__ISSUER", "https://id.example.com")]);
        assert_eq!(text, "configuration is valid\n");
    }

    #[test]
    fn every_problem_is_printed() {
        let (valid, text) =
            verdict(&[("CHANCERY_SERVER__ISSUER", "http://a.example"), ("CHANCERY_LOG__LEVEL", "loud")]);
        assert!(!valid && text.contains("server.issuer: ") && text.contains("log.level: "), "{text}");
    }
}
