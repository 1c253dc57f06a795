//! `gen`: histories whose verdicts are known.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use quorate_jepsen::edn::EdnWriter;
use quorate_jepsen::export::{KeyPlace, register_events};
use quorate_jepsen::generate::{Recipe, Values, generate};
use quorate_jepsen::jsonl::write_json_event;
use quorate_jepsen::register::RegisterHistory;

use crate::BAD_INPUT;
use crate::arguments::{Anomaly, GenArguments, GenFormat};

/// Makes a history and writes it.
pub fn run(arguments: &GenArguments) -> ExitCode {
    if arguments.writes + arguments.cas + arguments.failed_cas > 100.0 {
        eprintln!("quorate-jepsen: --writes, --cas and --failed-cas are more than 100 % together");
        return ExitCode::from(BAD_INPUT);
    }
    match write(arguments, &generate(&recipe(arguments))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quorate-jepsen: writing the history: {error}");
            ExitCode::from(BAD_INPUT)
        }
    }
}

fn recipe(arguments: &GenArguments) -> Recipe {
    Recipe {
        operations: arguments.operations,
        clients: arguments.clients,
        keys: arguments.keys,
        values: arguments.values.map_or(Values::Unique, Values::Repeated),
        unknown_percent: arguments.unknown,
        write_percent: arguments.writes,
        cas_percent: arguments.cas,
        refused_percent: arguments.failed_cas,
        has_stale_read: arguments.anomaly == Anomaly::StaleRead,
        seed: arguments.seed,
    }
}

fn write(arguments: &GenArguments, history: &RegisterHistory) -> io::Result<()> {
    let output: Box<dyn Write> = match &arguments.output {
        Some(path) => Box::new(File::create(path)?),
        None => Box::new(io::stdout().lock()),
    };
    let mut output = BufWriter::new(output);
    let is_keyed = history.key_count() > 1;
    match arguments.format {
        GenFormat::Edn => {
            let key_place = if is_keyed { KeyPlace::Pair } else { KeyPlace::Nowhere };
            let mut writer = EdnWriter::new(&mut output);
            register_events(history, key_place, &mut |event| writer.write(event))?;
        }
        GenFormat::Jsonl => {
            let key_place = if is_keyed { KeyPlace::Field } else { KeyPlace::Nowhere };
            register_events(history, key_place, &mut |event| write_json_event(event, &mut output))?;
        }
    }
    output.flush()
}
