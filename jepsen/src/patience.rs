//! When to ask the caller whether its limits are reached.
//!
//! This library has no clock and does not know how much memory the process has. It asks, but not for every
//! operation: to ask may take as long as a thousand of them.

use std::cell::Cell;

/// Operations or steps between two questions.
const STEPS_BETWEEN_QUESTIONS: usize = 4_096;

/// The caller's limits, of one thread. Once they are reached they stay reached.
pub(crate) struct Patience<'a> {
    is_over: &'a dyn Fn() -> bool,
    steps_until_asked: Cell<usize>,
    has_ended: Cell<bool>,
}

impl<'a> Patience<'a> {
    /// The first step asks.
    pub(crate) fn new(is_over: &'a dyn Fn() -> bool) -> Self {
        Self { is_over, steps_until_asked: Cell::new(0), has_ended: Cell::new(false) }
    }

    /// Whether the limits are reached, when so many steps more are about to be taken.
    pub(crate) fn is_over(&self, steps: usize) -> bool {
        if self.has_ended.get() {
            return true;
        }
        match self.steps_until_asked.get().checked_sub(steps.max(1)) {
            Some(left) => self.steps_until_asked.set(left),
            None => {
                self.steps_until_asked.set(STEPS_BETWEEN_QUESTIONS);
                self.has_ended.set((self.is_over)());
            }
        }
        self.has_ended.get()
    }

    /// Whether the limits were reached when the caller was asked last.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_is_asked_at_first_and_then_every_few_thousand_steps() {
        let questions = Cell::new(0);
        let ask = || {
            questions.set(questions.get() + 1);
            questions.get() == 3
        };
        let patience = Patience::new(&ask);
        assert!(!patience.is_over(1));
        assert_eq!(questions.get(), 1);
        let steps = (0..).take_while(|_| !patience.is_over(1)).count();
        assert_eq!((steps, questions.get()), (2 * STEPS_BETWEEN_QUESTIONS + 1, 3));
        assert!(patience.is_over(0) && patience.has_ended());
        assert_eq!(questions.get(), 3);
    }

    #[test]
    fn many_steps_at_once_ask_at_once() {
        let patience = Patience::new(&|| true);
        assert!(!patience.has_ended());
        assert!(patience.is_over(1_000_000));
    }
}
