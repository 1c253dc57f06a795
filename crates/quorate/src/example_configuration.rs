//! `quorate config`: an example of the configuration file, with every setting.
//!
//! Names and meanings come from the description of the command line, so that no setting can be forgotten; values stand
//! here. `deploy/quorate.toml` is what this prints.

use clap::{Arg, Args, Command};

use crate::arguments::ServeSettings;

/// What the file says before the settings.
const HEAD: &str = "\
# The settings of one node: quorate serve --config FILE
# Flags of the command line win over variables of the environment, and those over this file. What is commented out shows
# the default or, where there is none, an example.
";
/// How wide the text may be.
const WIDTH: usize = 110;

/// How a setting stands in the file.
#[derive(Clone, Copy, Debug)]
enum Value {
    /// It has to be set; this is an example.
    Set(&'static str),
    /// This is the default.
    Default(&'static str),
    /// It is not set by default; this is an example.
    Unset(&'static str),
}

/// The value of each setting, in TOML.
const VALUES: [(&str, Value); 16] = [
    ("id", Value::Set("1")),
    ("data-dir", Value::Set("\"/var/lib/quorate\"")),
    ("listen", Value::Default("\"127.0.0.1:7801\"")),
    ("peer-listen", Value::Default("\"127.0.0.1:7901\"")),
    ("advertise-url", Value::Unset("\"http://node-1.example:7801\"")),
    ("advertise-peer", Value::Unset("\"node-1.example:7901\"")),
    ("initial-cluster", Value::Set("\"1=127.0.0.1:7901\"")),
    ("join", Value::Unset("\"node-1.example:7901,node-2.example:7901\"")),
    ("learner", Value::Default("false")),
    ("force-new", Value::Default("false")),
    ("heartbeat-interval-ms", Value::Default("100")),
    ("clock-drift-max-ppm", Value::Unset("500")),
    ("avoid-leading", Value::Default("false")),
    ("repair", Value::Default("\"manual\"")),
    ("scrub-bytes-per-second", Value::Default("4194304")),
    ("dialect", Value::Unset("[\"simplekv=127.0.0.1:8080\"]")),
];

/// The file's text.
pub fn text() -> String {
    let settings = ServeSettings::augment_args(Command::new("serve"));
    let mut text = HEAD.to_owned();
    for setting in settings.get_arguments() {
        text.push('\n');
        text.push_str(&section(setting));
    }
    text
}

fn section(setting: &Arg) -> String {
    let name = setting.get_long().expect("settings have no other names");
    let help = setting.get_long_help().or(setting.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut section = String::new();
    for line in wrapped(&help) {
        section.push_str(&format!("# {line}\n"));
    }
    if let Some(variable) = setting.get_env() {
        section.push_str(&format!("# Variable: {}\n", variable.display()));
    }
    let value = VALUES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let line = match value.expect("every setting has a value here") {
        Value::Set(value) => format!("{name} = {value}\n"),
        Value::Default(value) | Value::Unset(value) => format!("# {name} = {value}\n"),
    };
    section + &line
}

/// The text in lines.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::of_file;

    /// The file, with these settings in force, too.
    fn with(is_wanted: impl Fn(Value) -> bool) -> String {
        let mut text = text();
        for (name, value) in VALUES {
            let (Value::Set(shown) | Value::Default(shown) | Value::Unset(shown)) = value;
            if is_wanted(value) {
                let line = format!("{name} = {shown}\n");
                assert!(text.contains(&line), "{name} is no setting");
                text = text.replace(&format!("\n# {line}"), &format!("\n{line}"));
            }
        }
        text
    }

    #[test]
    fn the_example_in_the_repository_is_what_is_printed() {
        let shown = include_str!("../../../deploy/quorate.toml");
        assert_eq!(shown, text(), "write it anew: quorate config > deploy/quorate.toml");
    }

    #[test]
    fn the_example_makes_a_node_and_its_defaults_are_the_defaults() {
        let as_it_stands = of_file(&text()).expect("it can be used as it is");
        let with_defaults =
            of_file(&with(|value| matches!(value, Value::Default(_)))).expect("they are valid");
        assert_eq!(format!("{as_it_stands:?}"), format!("{with_defaults:?}"));
    }

    #[test]
    fn examples_of_settings_without_a_default_are_valid() {
        let text = with(|value| matches!(value, Value::Unset(_)));
        // The only two that exclude each other.
        let text = text.replace("\ninitial-cluster = ", "\n# initial-cluster = ");
        let node = of_file(&text).expect("they are valid");
        assert_eq!((node.join.len(), node.dialects.len(), node.clock_drift_max_ppm), (2, 1, Some(500)));
    }
}
