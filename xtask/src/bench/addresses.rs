//! Addresses on loopback for the processes of a bench.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Error;

/// Below the ports that the kernel gives to outgoing connections (from 32,768 on Linux): one of those could
/// be taken by a connection of the load while a member that was killed is to come back to it.
const PORTS: Range<u16> = 12_000..32_000;

/// Addresses on which nobody listened a moment ago. Each is given out once in a process.
pub fn free_addresses(count: usize) -> Result<Vec<SocketAddr>, Error> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes that run side by side begin far apart.
    let first = std::process::id().wrapping_mul(7919);
    let mut addresses = Vec::new();
    for _ in PORTS {
        let offset = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % PORTS.len() as u32;
        let port = PORTS.start + u16::try_from(offset).expect("the range is one of ports");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            addresses.push(address);
        }
        if addresses.len() == count {
            return Ok(addresses);
        }
    }
    Err(Error::Missing {
        what: format!("{count} free ports from {} to {}", PORTS.start, PORTS.end - 1),
        remedy: "end what listens there".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_free_and_given_out_once() {
        let mut addresses = free_addresses(6).expect("some ports are free");
        let taken = TcpListener::bind(addresses[0]).expect("it is free");
        addresses.extend(free_addresses(6).expect("some more are free"));
        assert!(addresses.iter().all(|address| PORTS.contains(&address.port())));
        addresses.sort();
        addresses.dedup();
        assert_eq!(addresses.len(), 12);
        drop(taken);
    }
}
