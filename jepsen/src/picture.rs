//! A picture of a history: one page of HTML that needs nothing but a browser.
//!
//! Each client has a lane, each operation is a bar in it from call to answer, with a dot where the
//! witness lets it take effect. Faults are bands behind the lanes. What contradicts each other is red,
//! and the reasons stand beside the lanes; a click on one shows its operations.
//!
//! A history of a hundred thousand operations has far more bars than a screen has pixels. So the page
//! shows an overview of all of it, and draws only the window that is looked at. At first that is where
//! the contradiction is.
//!
//! [`Picture`] is what is drawn, made from a history and what was found in it ([`Picture::of_judgement`]
//! and its like) or by hand; [`write_html`] writes the page.

mod adapters;
mod bands;
mod lanes;
mod page;
mod points;

pub use page::write_html;

/// What a history is found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureVerdict {
    /// It keeps what was promised.
    Kept,
    /// It does not.
    Broken,
    /// It could not be said.
    Unknown,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureEnding {
    /// It happened.
    Ok,
    /// It did not happen, or found its condition wrong.
    Failed,
    /// It may have happened.
    Unknown,
}

/// One bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureOperation {
    /// The client.
    pub process: u64,
    /// The keys that it concerns, as positions in [`Picture::keys`].
    pub keys: Vec<u32>,
    /// What is written on the bar.
    pub label: String,
    /// When it began.
    pub begin: u64,
    /// When it ended, or was given up; none if it was open at the end.
    pub end: Option<u64>,
    /// How it ended.
    pub ending: PictureEnding,
    /// When it took effect, according to the witness.
    pub point: Option<u64>,
    /// The lines of the source that hold its beginning and its end; 0 if there is none.
    pub lines: (u32, u32),
}

/// Something that went on behind the operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureBand {
    /// What it was.
    pub label: String,
    /// When it began.
    pub begin: u64,
    /// When it ended; none if it lasted to the end.
    pub end: Option<u64>,
}

/// Operations that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureConflict {
    /// The reason, in a few words.
    pub title: String,
    /// The reason, in full.
    pub explanation: String,
    /// The operations, as positions in [`Picture::operations`].
    pub operations: Vec<usize>,
}

/// Everything that is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The heading, for example the name of the file.
    pub title: String,
    /// What the history is found to be.
    pub verdict: PictureVerdict,
    /// The same in a sentence.
    pub summary: String,
    /// The names of the keys.
    pub keys: Vec<String>,
    /// The bars, in any order.
    pub operations: Vec<PictureOperation>,
    /// The faults.
    pub bands: Vec<PictureBand>,
    /// What is red.
    pub conflicts: Vec<PictureConflict>,
}
