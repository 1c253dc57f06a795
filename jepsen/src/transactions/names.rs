//! Keys and values as numbers, and the texts that they stand for.

use std::collections::HashMap;

/// Gives every text one number, in the order of first use.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// Order is never observed: only looked up.
    numbers: HashMap<Box<str>, u32>,
    texts: Vec<Box<str>>,
}

impl Names {
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = u32::try_from(self.texts.len()).expect("fewer than 2^32 names fit into memory");
        self.texts.push(text.into());
        self.numbers.insert(text.into(), number);
        number
    }

    pub(super) fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }
}
