//! Several measurements of the same thing: the middle and how far they lie apart.

use std::fmt;

/// Measurements of the same thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spread {
    sorted: Vec<f64>,
}

impl Spread {
    /// The smallest, or 0 of none.
    pub fn min(&self) -> f64 {
        self.sorted.first().copied().unwrap_or(0.0)
    }

    /// The middle one, between two the middle of them, or 0 of none.
    pub fn median(&self) -> f64 {
        let count = self.sorted.len();
        match (self.sorted.get(count.saturating_sub(1) / 2), self.sorted.get(count / 2)) {
            (Some(lower), Some(upper)) => (lower + upper) / 2.0,
            _ => 0.0,
        }
    }

    /// The largest, or 0 of none.
    pub fn max(&self) -> f64 {
        self.sorted.last().copied().unwrap_or(0.0)
    }
}

impl FromIterator<f64> for Spread {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Spread {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Spread { sorted }
    }
}

/// `median (min..max)`, with the precision that is asked for.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(0);
        write!(f, "{:.digits$} ({:.digits$}..{:.digits$})", self.median(), self.min(), self.max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_and_the_ends_are_found() {
        assert_eq!([3.0, 1.0, 2.0].into_iter().collect::<Spread>().to_string(), "2 (1..3)");
        assert_eq!(format!("{:.1}", [4.0, 1.0].into_iter().collect::<Spread>()), "2.5 (1.0..4.0)");
        assert_eq!(Spread::default().to_string(), "0 (0..0)");
    }
}
