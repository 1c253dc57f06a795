//! A page of the documents, as a session.

use std::fmt;

/// The key that interrupts a command, as terminals show it.
const INTERRUPT: &str = "^C";
/// The key that quits a command at once.
const QUIT: &str = "^\\";

/// What a page says, in its order.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Its steps.
    pub steps: Vec<Step>,
}

/// One thing that a reader does, and what they see then.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// Where it stands, from 1.
    pub line: usize,
    /// In which terminal; empty for the one in which commands have to end.
    pub terminal: String,
    /// What is done.
    pub action: Action,
    /// Lines that have to be in the output, in this order.
    pub expected: Vec<String>,
}

/// What a reader does.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    /// Types a command.
    Run(String),
    /// Sets a variable for all that follows.
    Export(String, String),
    /// Interrupts what runs, which ends in order.
    Interrupt,
    /// Quits what runs, which has no time for anything.
    Quit,
    /// Looks at what runs.
    See,
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Run(command) => write!(formatter, "$ {command}"),
            Action::Export(name, value) => write!(formatter, "$ export {name}={value}"),
            Action::Interrupt => write!(formatter, "{INTERRUPT}"),
            Action::Quit => write!(formatter, "{QUIT}"),
            Action::See => write!(formatter, "(what it shows)"),
        }
    }
}

/// Why a page cannot be run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct PageError {
    line: usize,
    reason: &'static str,
}

impl Page {
    /// Reads the blocks of a page.
    pub fn parse(text: &str) -> Result<Self, PageError> {
        let mut steps: Vec<Step> = Vec::new();
        // The terminal of the block that the line stands in, if it is a session.
        let mut terminal: Option<String> = None;
        let mut is_in_block = false;
        let mut begins_block = false;
        let mut lines = text.lines().enumerate();
        while let Some((index, line)) = lines.next() {
            let line_number = index + 1;
            if let Some(language) = line.strip_prefix("```") {
                is_in_block = !is_in_block;
                let mut words = language.split_whitespace();
                let is_session = is_in_block && words.next() == Some("console");
                terminal = is_session.then(|| words.next().unwrap_or_default().to_owned());
                begins_block = true;
                continue;
            }
            let Some(terminal) = &terminal else { continue };
            let action = if line == INTERRUPT {
                Action::Interrupt
            } else if line == QUIT {
                Action::Quit
            } else if let Some(first) = line.strip_prefix("$ ") {
                let mut command = first.to_owned();
                while command.ends_with('\\') {
                    let Some((_, next)) = lines.next() else { break };
                    command.push('\n');
                    command.push_str(next);
                }
                action_of(command, line_number)?
            } else if line.is_empty() {
                continue;
            } else {
                if begins_block {
                    let reason = "output stands below no command";
                    let ran = steps.iter().any(|step| step.terminal == *terminal && !terminal.is_empty());
                    let see = Step {
                        line: line_number,
                        terminal: terminal.clone(),
                        action: Action::See,
                        expected: Vec::new(),
                    };
                    steps.push(if ran { Ok(see) } else { Err(PageError { line: line_number, reason }) }?);
                }
                begins_block = false;
                let step = steps.last_mut().expect("the block has begun with one");
                step.expected.push(line.to_owned());
                continue;
            };
            begins_block = false;
            steps.push(Step { line: line_number, terminal: terminal.clone(), action, expected: Vec::new() });
        }
        if steps.is_empty() {
            return Err(PageError { line: 1, reason: "there is no command on this page" });
        }
        Ok(Self { steps })
    }
}

fn action_of(command: String, line: usize) -> Result<Action, PageError> {
    let Some(assignment) = command.strip_prefix("export ") else { return Ok(Action::Run(command)) };
    let reason = "a variable is set as NAME=VALUE";
    let (name, value) = assignment.split_once('=').ok_or(PageError { line, reason })?;
    Ok(Action::Export(name.to_owned(), value.to_owned()))
}

/// Which of `expected` is not in `output`, in this order.
pub fn first_missing<'expected>(expected: &'expected [String], output: &str) -> Option<&'expected str> {
    let mut lines = output.lines();
    expected.iter().find(|pattern| !lines.any(|line| fits(pattern, line.trim_end()))).map(String::as_str)
}

/// Whether `line` is what `pattern` says, in which `…` stands for anything.
fn fits(pattern: &str, line: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('…') else { return pattern == line };
    let Some(line) = line.strip_prefix(first) else { return false };
    (0..=line.len()).filter(|start| line.is_char_boundary(*start)).any(|start| fits(rest, &line[start..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_session_at_terminals() {
        let page = "text\n```console n1\n$ serve \\\n    --id 1\nlistening on …\n```\n\n```sh\n$ not run\n```\n\
                    ```console\n$ export A=b c\n\n$ list\none\ntwo\n```\n```console n1\nmore\n^C\n^\\\n```\n";
        let step = |line, terminal: &str, action, expected: &[&str]| Step {
            line,
            terminal: terminal.to_owned(),
            action,
            expected: expected.iter().map(|line| (*line).to_owned()).collect(),
        };
        let steps = vec![
            step(3, "n1", Action::Run("serve \\\n    --id 1".to_owned()), &["listening on …"]),
            step(12, "", Action::Export("A".to_owned(), "b c".to_owned()), &[]),
            step(14, "", Action::Run("list".to_owned()), &["one", "two"]),
            step(19, "n1", Action::See, &["more"]),
            step(20, "n1", Action::Interrupt, &[]),
            step(21, "n1", Action::Quit, &[]),
        ];
        assert_eq!(Page::parse(page), Ok(Page { steps }));
    }

    #[test]
    fn a_page_that_says_nothing_is_an_error() {
        Page::parse("only words").expect_err("there is nothing to run");
        Page::parse("```console\noutput\n```").expect_err("of which command?");
        Page::parse("```console n1\n$ serve\n```\n```console n2\noutput\n```")
            .expect_err("of which command?");
        Page::parse("```console\n$ export A\n```").expect_err("to what?");
    }

    #[test]
    fn expected_lines_are_looked_for_in_their_order() {
        let expected = ["b…".to_owned(), "c".to_owned()];
        assert_eq!(first_missing(&expected, "a\nbcd\nc\n"), None);
        assert_eq!(first_missing(&expected, "c\nb\n"), Some("c"));
        assert_eq!(first_missing(&expected, "ab\n"), Some("b…"));
    }

    #[test]
    fn patterns_fit_whole_lines() {
        let cases = [("ok", "ok", true), ("ok", "okay", false), ("…c", "abc", true), ("a…c", "abcd", false)];
        for (pattern, line, fit) in cases.into_iter().chain([("a…b…c", "a-b-bc", true), ("…", "", true)])
        {
            assert_eq!(fits(pattern, line), fit, "{pattern} {line}");
        }
    }
}
