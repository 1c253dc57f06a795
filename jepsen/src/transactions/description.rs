//! Transactions in words, as they stand in Elle's histories.

use std::fmt;

use super::history::{Ending, Seen, Step, TransactionHistory, TransactionIndex};

/// Longest list that explanations quote in full, in elements.
const QUOTED_ELEMENTS_MAX: usize = 8;

impl TransactionHistory {
    /// A transaction in words, with the lines of the source where it can be found.
    pub fn describe(&self, transaction: TransactionIndex) -> String {
        Description { history: self, index: transaction }.to_string()
    }

    /// A transaction's steps as they stand in Elle's histories.
    pub fn describe_steps(&self, transaction: TransactionIndex) -> String {
        let steps: Vec<String> =
            self.steps(transaction).iter().map(|step| self.describe_step(step)).collect();
        format!("[{}]", steps.join(" "))
    }

    fn describe_step(&self, step: &Step) -> String {
        let key = self.key_name(step.key());
        match step {
            Step::Append { value, .. } => format!("[:append {key} {}]", self.value_text(*value)),
            Step::Write { value, .. } => format!("[:w {key} {}]", self.value_text(*value)),
            Step::Read { seen, .. } => format!("[:r {key} {}]", self.describe_seen(*seen)),
        }
    }

    /// What a read saw, with long lists cut in the middle.
    pub(super) fn describe_seen(&self, seen: Seen) -> String {
        match seen {
            Seen::Unknown => "?".to_owned(),
            Seen::Nothing => "nil".to_owned(),
            Seen::Value(value) => self.value_text(value).to_owned(),
            Seen::List(list) => {
                let texts: Vec<&str> =
                    self.elements(list).iter().map(|value| self.value_text(*value)).collect();
                match texts.len() {
                    0..=QUOTED_ELEMENTS_MAX => format!("[{}]", texts.join(" ")),
                    length => {
                        let (begin, end) = (&texts[..2], &texts[length - (QUOTED_ELEMENTS_MAX - 2)..]);
                        format!("[{} ... {}]", begin.join(" "), end.join(" "))
                    }
                }
            }
        }
    }
}

struct Description<'a> {
    history: &'a TransactionHistory,
    index: TransactionIndex,
}

impl fmt::Display for Description<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transaction = &self.history.transactions()[self.index];
        let steps = self.history.describe_steps(self.index);
        write!(formatter, "T{} by client {} (", self.index, transaction.process)?;
        match (transaction.invoked_line, transaction.completed_line) {
            (0, _) => write!(formatter, "from time {}", transaction.invoked)?,
            (invoked, None) => write!(formatter, "line {invoked}")?,
            (invoked, Some(completed)) => write!(formatter, "lines {invoked} and {completed}")?,
        }
        let ending = match transaction.ending {
            Ending::Ok => "",
            Ending::Failed => ", aborted",
            Ending::Unknown => ", outcome unknown",
        };
        write!(formatter, "{ending}): {steps}")
    }
}
