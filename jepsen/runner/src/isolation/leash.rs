//! What ties the runner inside to the process that was started.
//!
//! The process outside holds one end of a pipe, and writes nothing to it. The runner inside has the other end as its
//! standard input, and stops when that ends. Unlike a signal, this cannot come too early, and no way of dying gets
//! around it: the system closes the pipe of a process that is killed.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use crate::stop_signals::StopSignals;

/// Runs the inside of a run and waits for it, on this thread. A signal to stop lets go of the leash, and is waited on
/// like any other end.
///
/// # Errors
///
/// It could not be started, or not be waited for.
pub fn run_on_leash(mut inside: Command) -> io::Result<ExitStatus> {
    // In a group of its own, because what is sent to ours is for us to hear. `unshare`, which stands between, would die
    // of a hangup at once, and all that is inside with it.
    inside.stdin(Stdio::piped()).process_group(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Heard before there is anything to stop: a signal that comes in between is not lost.
        let mut signals = StopSignals::hear()?;
        let mut inside = tokio::process::Command::from(inside).spawn()?;
        let leash = inside.stdin.take();
        tokio::select! {
            biased;
            ended = inside.wait() => return ended,
            () = signals.told() => {}
        }
        drop(leash);
        inside.wait().await
    })
}

/// Waits, inside, until nobody holds the leash any more.
///
/// # Errors
///
/// There is none: the standard input is no pipe.
pub async fn let_go() -> io::Result<()> {
    let end = io::stdin().as_fd().try_clone_to_owned()?;
    let mut leash = Receiver::from_owned_fd(end)?;
    // Nobody writes.
    while leash.read(&mut [0; 16]).await? > 0 {}
    Ok(())
}
