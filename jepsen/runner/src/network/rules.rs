//! The rules of a broken network, as `nft` reads them.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;

use super::Link;

/// The table that holds all of them.
pub const TABLE: &str = "faults";
/// The mark of packets that go by way of the relay.
pub const RELAY_MARK: u32 = 7;

/// What happens to packets between nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Links on which nothing arrives.
    pub cut: BTreeSet<Link>,
    /// How many of a thousand packets get lost, on all links.
    pub lost_per_mille: u16,
    /// Whether what is left goes by way of the relay.
    pub relayed: bool,
}

impl fmt::Display for Rules {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It is made so that it is there to be removed, whether it was or not.
        writeln!(text, "table ip {TABLE}")?;
        writeln!(text, "delete table ip {TABLE}")?;
        writeln!(text, "table ip {TABLE} {{")?;
        writeln!(text, "  chain forwarded {{")?;
        writeln!(text, "    type filter hook forward priority 0; policy accept;")?;
        if !self.cut.is_empty() {
            let links: Vec<_> =
                self.cut.iter().map(|(from, to)| format!("{} . {}", of(*from), of(*to))).collect();
            writeln!(text, "    ip saddr . ip daddr {{ {} }} counter drop", links.join(", "))?;
        }
        if self.lost_per_mille > 0 {
            // Packets that the relay gives back are forwarded once more, and could be lost twice.
            let share = self.lost_per_mille;
            writeln!(text, "    iifname \"cable*\" numgen random mod 1000 < {share} counter drop")?;
        }
        writeln!(text, "  }}")?;
        if self.relayed {
            let range = format!("{}-{}", of(1), of(99));
            writeln!(text, "  chain arriving {{")?;
            writeln!(text, "    type filter hook prerouting priority mangle; policy accept;")?;
            writeln!(text, "    iifname \"cable*\" ip daddr {range} meta mark set {RELAY_MARK}")?;
            writeln!(text, "  }}")?;
        }
        writeln!(text, "}}")
    }
}

fn of(node: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, node)
}

/// All packets that the counters of a listing have counted.
pub fn packets_dropped(listing: &str) -> u64 {
    listing.lines().filter_map(|line| number_after(line, "counter packets ")).sum()
}

/// The number that stands behind these words.
pub fn number_after(text: &str, words: &str) -> Option<u64> {
    let rest = text.split_once(words)?.1;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_fault_is_an_empty_chain() {
        let text = "table ip faults\ndelete table ip faults\ntable ip faults {\n  chain forwarded {\n    \
                    type filter hook forward priority 0; policy accept;\n  }\n}\n";
        assert_eq!(Rules::default().to_string(), text);
    }

    #[test]
    fn every_fault_is_a_rule() {
        let rules = Rules { cut: BTreeSet::from([(1, 2), (3, 1)]), lost_per_mille: 150, relayed: true };
        let wanted = "table ip faults
delete table ip faults
table ip faults {
  chain forwarded {
    type filter hook forward priority 0; policy accept;
    ip saddr . ip daddr { 10.77.0.1 . 10.77.0.2, 10.77.0.3 . 10.77.0.1 } counter drop
    iifname \"cable*\" numgen random mod 1000 < 150 counter drop
  }
  chain arriving {
    type filter hook prerouting priority mangle; policy accept;
    iifname \"cable*\" ip daddr 10.77.0.1-10.77.0.99 meta mark set 7
  }
}
";
        assert_eq!(rules.to_string(), wanted);
    }

    #[test]
    fn counters_are_added_up() {
        let listing = "\
            ip saddr . ip daddr { 10.77.0.1 . 10.77.0.2 } counter packets 12 bytes 720 drop\n\
            numgen random mod 1000 < 150 counter packets 30 bytes 9 drop\n";
        assert_eq!(packets_dropped(listing), 42);
    }
}
