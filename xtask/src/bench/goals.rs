//! What was measured, next to what it should be.

use std::fmt;

use crate::error::Error;

/// On which side of the goal a measurement has to lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// The measurement has to be as much, or more.
    AtLeast(f64),
    /// The measurement has to be as much, or less.
    AtMost(f64),
}

impl Goal {
    fn is_met_by(self, measured: f64) -> bool {
        match self {
            Goal::AtLeast(goal) => measured >= goal,
            Goal::AtMost(goal) => measured <= goal,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Goal::AtLeast(goal) => write!(f, "at least {goal}"),
            Goal::AtMost(goal) => write!(f, "at most {goal}"),
        }
    }
}

/// Everything that one bench measured that has a goal.
#[derive(Clone, Debug, Default)]
pub struct Goals {
    lines: Vec<(String, f64, &'static str, Goal)>,
}

impl Goals {
    /// Notes a measurement in this unit.
    pub fn add(&mut self, what: impl Into<String>, measured: f64, unit: &'static str, goal: Goal) {
        self.lines.push((what.into(), measured, unit, goal));
    }

    /// Prints a table of all, and fails if a goal was not met.
    pub fn judge(&self) -> Result<(), Error> {
        if !self.lines.is_empty() {
            println!();
        }
        let mut missed = 0;
        for (what, measured, unit, goal) in &self.lines {
            let is_met = goal.is_met_by(*measured);
            missed += usize::from(!is_met);
            let verdict = if is_met { "met" } else { "MISSED" };
            println!("{what:60} {measured:10.2} {unit:5} goal: {goal} {unit}: {verdict}");
        }
        match missed {
            0 => Ok(()),
            missed => Err(Error::ChecksFailed(format!("{missed} of {} goals were missed", self.lines.len()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_met_or_missed() {
        let mut goals = Goals::default();
        goals.add("a ratio", 2.0, "", Goal::AtLeast(2.0));
        goals.add("a time", 50.0, "ms", Goal::AtMost(50.0));
        goals.judge().expect("both are met");
        goals.add("a time", 50.1, "ms", Goal::AtMost(50.0));
        let error = goals.judge().expect_err("one is missed");
        assert_eq!(error.to_string(), "1 of 3 goals were missed");
    }
}
