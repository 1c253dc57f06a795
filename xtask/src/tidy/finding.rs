//! The rules of the house, each with its reason, and what breaks them.

use std::fmt;

/// A rule of the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Which of our crates a crate may import.
    ImportTable,
    /// Which crates of others a crate must not import.
    ForeignImport,
    /// Versions are said once, in the root manifest.
    WorkspaceVersion,
    /// openraft's parts and madsim are pinned.
    Pin,
    /// Licence and lints come from the workspace.
    Manifest,
    /// Folder and crate are named alike.
    CrateName,
    /// The outside world is reached through the environment.
    OutsideWorld,
    /// Nothing depends on the order of a hash table.
    HashOrder,
    /// Nothing is chosen at random behind our back.
    RandomChoice,
    /// Only the simulator knows that it is one.
    Simulator,
    /// A file says what it is for.
    Opening,
    /// A file can be read in one sitting.
    Length,
    /// Nothing is left unfinished.
    Unfinished,
    /// A name says what is inside.
    VagueName,
    /// The repository is the same on every machine.
    MachinePath,
    /// The top level holds a fixed set.
    TopLevel,
    /// A link leads somewhere, and a page is found.
    Link,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Rule; 17] = [
        Rule::ImportTable,
        Rule::ForeignImport,
        Rule::WorkspaceVersion,
        Rule::Pin,
        Rule::Manifest,
        Rule::CrateName,
        Rule::OutsideWorld,
        Rule::HashOrder,
        Rule::RandomChoice,
        Rule::Simulator,
        Rule::Opening,
        Rule::Length,
        Rule::Unfinished,
        Rule::VagueName,
        Rule::MachinePath,
        Rule::TopLevel,
        Rule::Link,
    ];

    /// Why the rule is there.
    pub fn reason(self) -> &'static str {
        match self {
            Rule::ImportTable => {
                "the direction of the arrows is the architecture: see the table in ARCHITECTURE.md"
            }
            Rule::ForeignImport => "a layer that knows this cannot be tested or replaced without it",
            Rule::WorkspaceVersion => "a version said twice is soon two versions: write `workspace = true`",
            Rule::Pin => {
                "parts of an alpha fit only each other, and the simulated world must not move: pin with `=`"
            }
            Rule::Manifest => "what holds for every crate is said once, in the workspace",
            Rule::CrateName => "the folder is the crate's name, so that the layout shows the architecture",
            Rule::OutsideWorld => {
                "clock, network, entropy and tasks are reached through `Environment`, or the simulation does not see them"
            }
            Rule::HashOrder => {
                "a hash table's order differs from process to process: use a BTreeMap, or say above it \
                 `// order is never observed: ` and why"
            }
            Rule::RandomChoice => {
                "it picks or wakes in an order drawn from a generator that no seed of ours controls: \
                 write `biased`, or use another channel"
            }
            Rule::Simulator => {
                "what is tested is what is shipped: only `sim/` names madsim, and only under its cfg"
            }
            Rule::Opening => "every file opens with `//!` and says what it is for",
            Rule::Length => "a file over 800 lines is more than one thing: split it",
            Rule::Unfinished => {
                "unfinished work is an issue, not a remark in the code; a test that does not run is none"
            }
            Rule::VagueName => "a name that fits anything gathers everything: name what is inside",
            Rule::MachinePath => {
                "the repository is the same on every machine: use a path relative to its root"
            }
            Rule::TopLevel => "the top level is the first page that a newcomer reads",
            Rule::Link => {
                "a link that leads nowhere loses a reader, and so does a page that no link leads to"
            }
        }
    }
}

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, from the root of the repository.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The rule.
    pub rule: Rule,
    /// What is there.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} ({})", self.path, self.line, self.what, self.rule.reason())
    }
}
