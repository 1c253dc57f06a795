//! Members as other stores name them.

use quorate_api::ErrorCode;

use crate::failure::Failure;

/// The number of the member that is called `name`: `3`, `node3`, `node-03`. The digits at its end count, since
/// members have numbers here, and names elsewhere.
pub(super) fn of_name(name: &str) -> Option<u64> {
    let digits_start = name.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    of_digits(&name[digits_start..])
}

/// A member's number that is written in digits and nothing else.
pub(super) fn of_digits(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten().filter(|number| *number > 0)
}

/// Refuses what is no `HOST:PORT`.
pub(super) fn check_address(address: &str) -> Result<(), Failure> {
    let is_address = address.rsplit_once(':').is_some_and(|(host, port)| {
        // Nodes of keyval may leave their host out, and listen at every address of their machine.
        !host.contains(['/', '@', ' ']) && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if is_address {
        return Ok(());
    }
    Err(Failure::new(ErrorCode::BadBody, format!("{address:?} is not the address of a peer, HOST:PORT")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_at_the_end_of_a_name_are_the_number() {
        for (name, number) in [
            ("3", Some(3)),
            ("node3", Some(3)),
            ("rack2-node-07", Some(7)),
            ("node0", None),
            ("node", None),
            ("", None),
            ("3a", None),
            ("node٣", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(of_name(name), number, "{name}");
        }
        assert_eq!((of_digits("3"), of_digits("node3"), of_digits("+3")), (Some(3), None, None));
    }

    #[test]
    fn an_address_has_a_port() {
        for address in ["localhost:12001", ":12001", "[::1]:12001"] {
            check_address(address).expect("an address");
        }
        for address in ["", "localhost", "localhost:", "localhost:0", "http://a:1", "a:99999", "a b:1"] {
            check_address(address).expect_err("no address");
        }
    }
}
