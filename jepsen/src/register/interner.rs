//! Names as small numbers, in the order of their first appearance.
//!
//! The table is our own because its order must not depend on a random seed, and because ten million
//! values must not cost ten million allocations: all names lie in one buffer, and a table of numbers with
//! open addressing finds them. It is only built when somebody looks a name up.

/// No entry.
const EMPTY: u32 = u32::MAX;
/// Multiplies into the high bits (the golden ratio, as in Fibonacci hashing).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// A set of names, each within a space; equal names of different spaces are different.
#[derive(Clone, Debug, Default)]
pub(super) struct Interner {
    bytes: Vec<u8>,
    /// Where each name ends in `bytes`.
    ends: Vec<usize>,
    spaces: Vec<u32>,
    table: Vec<u32>,
    /// How many of the names are in the table.
    indexed: usize,
}

impl Interner {
    /// The number of a name, which is added if it is new.
    pub(super) fn intern(&mut self, space: u32, name: &[u8]) -> u32 {
        self.index_all();
        let mut slot = self.slot(space, name);
        loop {
            match self.table[slot] {
                EMPTY => break,
                number if self.is(number, space, name) => return number,
                _ => slot = (slot + 1) & (self.table.len() - 1),
            }
        }
        let number = self.append(space, name);
        self.table[slot] = number;
        self.indexed += 1;
        number
    }

    /// Adds a name that is known to be new, without looking it up.
    pub(super) fn append(&mut self, space: u32, name: &[u8]) -> u32 {
        let number = u32::try_from(self.ends.len()).expect("a history has fewer than 2^32 names");
        self.bytes.extend_from_slice(name);
        self.ends.push(self.bytes.len());
        self.spaces.push(space);
        number
    }

    /// The name with this number.
    pub(super) fn name(&self, number: u32) -> &[u8] {
        let number = number as usize;
        let begin = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.bytes[begin..self.ends[number]]
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn is(&self, number: u32, space: u32, name: &[u8]) -> bool {
        self.spaces[number as usize] == space && self.name(number) == name
    }

    /// Where the search for a name begins in the table.
    fn slot(&self, space: u32, name: &[u8]) -> usize {
        let mut hash = u64::from(space).wrapping_add(1).wrapping_mul(MULTIPLIER);
        let (words, rest) = name.as_chunks::<8>();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        for word in words.iter().chain([&last]) {
            hash = (hash.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(MULTIPLIER);
            hash ^= hash >> 32;
        }
        hash = hash.wrapping_mul(MULTIPLIER);
        (hash >> 32) as usize & (self.table.len() - 1)
    }

    /// Makes the table hold every name, with room for one more.
    fn index_all(&mut self) {
        let wanted = ((self.len() + 1) * 2).next_power_of_two().max(16);
        if self.table.len() < wanted {
            self.table = vec![EMPTY; wanted * 2];
            self.indexed = 0;
        }
        while self.indexed < self.len() {
            let number = self.indexed as u32;
            let mut slot = self.slot(self.spaces[self.indexed], self.name(number));
            while self.table[slot] != EMPTY {
                slot = (slot + 1) & (self.table.len() - 1);
            }
            self.table[slot] = number;
            self.indexed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_in_the_order_of_their_first_appearance() {
        let mut interner = Interner::default();
        let names: Vec<String> = (0..1_000).map(|number| format!("name {}", number % 700)).collect();
        let numbers: Vec<u32> = names.iter().map(|name| interner.intern(0, name.as_bytes())).collect();
        for (index, number) in numbers.iter().enumerate() {
            assert_eq!(*number as usize, index % 700);
            assert_eq!(interner.name(*number), names[index].as_bytes());
        }
    }

    #[test]
    fn the_same_name_differs_between_spaces_and_may_be_empty() {
        let mut interner = Interner::default();
        assert_eq!(interner.intern(0, b""), 0);
        assert_eq!(interner.intern(1, b""), 1);
        assert_eq!(interner.intern(0, b"\0"), 2);
        assert_eq!(interner.intern(1, b""), 1);
    }

    #[test]
    fn names_that_were_added_without_a_lookup_are_found() {
        let mut interner = Interner::default();
        for number in 0..100_u32 {
            interner.append(7, &number.to_le_bytes());
        }
        assert_eq!(interner.intern(7, &41_u32.to_le_bytes()), 41);
        assert_eq!(interner.len(), 100);
    }
}
