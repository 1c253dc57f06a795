//! `quorate top`: the nodes of a cluster beside each other, again and again.
//!
//! Each time every node is asked for its status and its metrics, all at once and each for itself, because what is to
//! be seen is how they differ ([`observer`]). Counters grow from a node's start on, so what they say of now is what
//! two samples differ by ([`view`]). What is shown does not depend on where: on a terminal it is a live table
//! ([`screen`]), elsewhere the same table as text, or a line of JSON.

mod metrics;
mod observer;
mod screen;
mod view;

use std::io::IsTerminal;
use std::time::Duration;

use quorate_client::ClientError;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::client_arguments::{Output, TopArguments};
use crate::client_commands::{json, print, print_line};
use crate::error::CommandError;
use crate::signals::StopSignals;

use observer::{Observer, Sample};
use screen::{Screen, Wish};
use view::View;

/// How long a node may take to answer, unless samples are further apart than that.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows the cluster until the user has seen enough.
pub async fn run(arguments: TopArguments) -> Result<(), CommandError> {
    let views = sample(&arguments)?;
    let is_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    match arguments.connection.output {
        None if is_terminal => on_screen(views).await,
        output => as_text(views, output.unwrap_or(Output::Table)).await,
    }
}

async fn as_text(mut views: mpsc::Receiver<View>, output: Output) -> Result<(), CommandError> {
    let mut silence = None;
    while let Some(view) = views.recv().await {
        match output {
            Output::Json | Output::Raw => print_line(json(&view)).await?,
            Output::Table => print(format!("{}\n", view.text())).await?,
        }
        silence = view.silence();
    }
    // A script is to learn it from the exit code.
    silence.map_or(Ok(()), |reason| Err(ClientError::Unreachable { reason }.into()))
}

async fn on_screen(mut views: mpsc::Receiver<View>) -> Result<(), CommandError> {
    let stop = StopSignals::catch()?;
    let mut stop = std::pin::pin!(stop.requested());
    let mut screen = Screen::open()?;
    loop {
        tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            wish = screen.next_wish() => match wish? {
                Wish::Quit => return Ok(()),
                Wish::Draw => screen.draw()?,
            },
            view = views.recv() => match view {
                Some(view) => screen.show(view)?,
                None => return Ok(()),
            },
        }
    }
}

/// Looks at even intervals, until enough was seen or nobody looks any more.
fn sample(arguments: &TopArguments) -> Result<mpsc::Receiver<View>, CommandError> {
    let patience = arguments.connection.timeout.min(arguments.interval.max(PATIENCE));
    let mut observer = Observer::new(&arguments.connection.endpoints, patience)?;
    let mut ticks = tokio::time::interval(arguments.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let samples = arguments.samples.unwrap_or(u64::MAX);
    let (sender, views) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut previous: Option<Sample> = None;
        for _ in 0..samples {
            ticks.tick().await;
            let sample = observer.sample().await;
            if sender.send(View::of(previous.as_ref(), &sample)).await.is_err() {
                break;
            }
            previous = Some(sample);
        }
    });
    Ok(views)
}
