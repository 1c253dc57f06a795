//! The client against nodes that follow a script.

mod attempts;
mod members;
mod nodes;
mod ranges;
mod sessions;
mod shifted_environment;
