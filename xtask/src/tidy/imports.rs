//! The import table: who may depend on whom.

/// What a crate may and must not depend on.
#[derive(Debug)]
pub struct Place {
    /// The crate.
    pub name: &'static str,
    /// Those of our crates that it may import.
    pub ours: &'static [&'static str],
    /// Crates of others that it must not import.
    pub not: &'static [&'static str],
    /// Whether it may use tokio's runtime, and not only its channels and traits.
    pub runtime: bool,
}

const HTTP: &[&str] = &["axum", "http", "http-body", "http-body-util", "hyper", "hyper-util", "tower"];

/// Features of tokio that bring its runtime or the real world.
pub const RUNTIME_FEATURES: [&str; 8] =
    ["full", "fs", "net", "process", "rt", "rt-multi-thread", "signal", "time"];

/// The table of ARCHITECTURE.md, bottom up. Changing it is changing the architecture.
pub const TABLE: [Place; 18] = [
    Place {
        name: "quorate-environment",
        ours: &[],
        not: &["axum", "heed", "hyper", "madsim", "openraft", "tower"],
        runtime: true,
    },
    Place {
        name: "quorate-kv",
        ours: &[],
        not: &[
            "axum",
            "futures",
            "heed",
            "http",
            "hyper",
            "openraft",
            "openraft-rt",
            "openraft-rt-tokio",
            "rand",
            "rand_chacha",
            "tokio",
            "tokio-util",
        ],
        runtime: false,
    },
    Place {
        name: "quorate-consensus",
        ours: &["quorate-kv"],
        not: &["axum", "heed", "http", "hyper", "openraft-rt-tokio", "rand", "tokio", "tokio-util"],
        runtime: false,
    },
    Place {
        name: "quorate-storage",
        ours: &["quorate-consensus", "quorate-environment", "quorate-kv"],
        not: HTTP,
        runtime: false,
    },
    Place {
        name: "quorate-peer",
        ours: &["quorate-consensus", "quorate-environment"],
        not: PEER_NOT,
        runtime: false,
    },
    Place {
        name: "quorate-replica",
        ours: &["quorate-consensus", "quorate-environment", "quorate-kv", "quorate-peer", "quorate-storage"],
        not: PEER_NOT,
        runtime: false,
    },
    Place {
        name: "quorate-api",
        ours: &["quorate-kv"],
        not: &["axum", "heed", "hyper", "hyper-util", "openraft", "tokio", "tower"],
        runtime: false,
    },
    Place {
        name: "quorate-http",
        ours: &["quorate-api", "quorate-environment", "quorate-kv", "quorate-replica"],
        not: &["heed", "openraft", "openraft-rt-tokio"],
        runtime: false,
    },
    Place {
        name: "quorate-client",
        ours: &["quorate-api", "quorate-environment"],
        not: &["axum", "heed", "openraft"],
        runtime: false,
    },
    Place {
        name: "quorate-router",
        ours: &["quorate-api", "quorate-client", "quorate-environment", "quorate-http"],
        not: &["heed", "openraft", "openraft-rt-tokio"],
        runtime: false,
    },
    Place {
        name: "quorate",
        ours: &[
            "quorate-api",
            "quorate-client",
            "quorate-consensus",
            "quorate-environment",
            "quorate-http",
            "quorate-kv",
            "quorate-peer",
            "quorate-replica",
            "quorate-router",
            "quorate-storage",
        ],
        not: &[],
        runtime: true,
    },
    Place {
        name: "quorate-jepsen",
        ours: &[],
        not: &["axum", "heed", "hyper", "openraft", "reqwest", "tokio"],
        runtime: false,
    },
    Place {
        name: "quorate-faults",
        ours: &[],
        not: &["axum", "heed", "hyper", "openraft", "tokio"],
        runtime: false,
    },
    Place {
        name: "quorate-interposer",
        ours: &["quorate-faults"],
        not: &["axum", "heed", "hyper", "openraft", "rand", "tokio"],
        runtime: false,
    },
    Place {
        name: "quorate-runner",
        ours: &["quorate-faults", "quorate-jepsen"],
        not: &["axum", "heed", "openraft"],
        runtime: true,
    },
    Place {
        name: "quorate-sim",
        ours: &[
            "quorate-api",
            "quorate-client",
            "quorate-consensus",
            "quorate-environment",
            "quorate-http",
            "quorate-jepsen",
            "quorate-kv",
            "quorate-peer",
            "quorate-replica",
            "quorate-router",
            "quorate-storage",
        ],
        not: &[],
        runtime: false,
    },
    Place {
        name: "quorate-examples",
        ours: &["quorate-client"],
        not: &["axum", "heed", "hyper", "openraft"],
        runtime: true,
    },
    Place { name: "xtask", ours: &["quorate-client"], not: &[], runtime: true },
];

/// The storage engine and everything of HTTP.
const PEER_NOT: &[&str] =
    &["axum", "heed", "http", "http-body", "http-body-util", "hyper", "hyper-util", "tower"];

/// The crate's place in the table.
pub fn place(name: &str) -> Option<&'static Place> {
    TABLE.iter().find(|place| place.name == name)
}

/// Whether `name` may import `other`, be it over others.
///
/// Tests may: they build what lies below them by hand.
pub fn reaches(name: &str, other: &str) -> bool {
    place(name).is_some_and(|place| place.ours.iter().any(|&below| below == other || reaches(below, other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_arrow_of_the_table_points_up() {
        for place in &TABLE {
            assert!(!reaches(place.name, place.name), "{} reaches itself", place.name);
        }
    }

    #[test]
    fn every_crate_that_the_table_names_has_a_place() {
        for name in TABLE.iter().flat_map(|place| place.ours) {
            assert!(super::place(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_crate_reaches_what_its_imports_import() {
        assert!(reaches("quorate-http", "quorate-storage"));
        assert!(!reaches("quorate-storage", "quorate-http"));
    }
}
