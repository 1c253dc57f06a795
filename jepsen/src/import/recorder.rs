//! From events to operations: what is the same for every model.

use std::io::Read;

use super::options::{Format, ImportOptions, Info};
use super::turns::{Next, Turns};
use crate::edn::read_edn;
use crate::etcd_log::read_etcd_events;
use crate::event::{Event, EventKind, Problem, Process, ReadError, Sink};
use crate::history::NemesisEvent;
use crate::jsonl::read_json_events;

/// Fills the history of one model.
pub(super) trait Recorder {
    /// What is needed to complete an operation.
    type Open;

    /// Records that `process` began an operation.
    fn invoke(&mut self, event: &Event<'_>, process: u64, time: u64) -> Result<Self::Open, Problem>;

    /// Records how an operation ended. The kind of the event is never an invocation.
    fn complete(&mut self, open: Self::Open, event: &Event<'_>, time: u64) -> Result<(), Problem>;

    /// Records a fault or a repair.
    fn nemesis(&mut self, event: NemesisEvent);
}

/// Reads a file of a known format and records its events.
pub(super) fn record<R: Recorder>(
    input: &mut dyn Read,
    format: Format,
    options: &ImportOptions,
    mut recorder: R,
) -> Result<R, ReadError> {
    let mut turns = Turns::new(options.order);
    let mut is_empty = true;
    read_events(input, format, &mut |mut event| {
        let process = match &event.process {
            Process::Client(process) => *process,
            Process::Nemesis(name) => {
                let time = turns.time_of_nemesis(&event);
                recorder.nemesis(NemesisEvent {
                    process: name.clone().into_owned(),
                    function: event.function.into_owned(),
                    value: event.value.to_json(),
                    time,
                });
                return Ok(());
            }
        };
        is_empty = false;
        let time = turns.time(&event)?;
        match turns.next(process, &event)? {
            Next::Invokes => {
                let open = recorder.invoke(&event, process, time)?;
                turns.began(process, open, &event);
            }
            Next::Completes(open) => {
                if event.kind == EventKind::Info {
                    turns.became_unknown(process, &event);
                    if options.info == Info::Failed {
                        event.kind = EventKind::Fail;
                    }
                }
                recorder.complete(open, &event, time)?;
            }
        }
        Ok(())
    })?;
    if is_empty { Err(Problem::Empty.at(1)) } else { Ok(recorder) }
}

/// Reads the events of a file of a known format.
pub(super) fn read_events(
    input: &mut dyn Read,
    format: Format,
    sink: &mut Sink<'_>,
) -> Result<(), ReadError> {
    match format {
        Format::Edn | Format::KvLog => read_edn(input, sink),
        Format::JsonLines => read_json_events(input, sink),
        Format::EtcdLog => read_etcd_events(input, sink),
    }
}
