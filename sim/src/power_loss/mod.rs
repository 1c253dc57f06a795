//! The power-loss disk.
