//! `quorate compact` and `settings`.

use quorate_client::SettingAnswer;
use serde_json::json;

use super::client;
use super::printing::{Table, json, print, print_line};
use crate::client_arguments::{CompactArguments, Output, SettingsArguments};
use crate::error::CommandError;

/// Prints the oldest revision that can be read from now on.
pub async fn compact(arguments: CompactArguments) -> Result<(), CommandError> {
    let output = arguments.connection.output.unwrap_or(Output::Raw);
    let compacted = client(arguments.connection)?.compact(arguments.revision).await?;
    match output {
        Output::Json => print_line(json!({"compacted": compacted.to_string()})).await,
        Output::Raw => print_line(compacted).await,
        Output::Table => print_line(format_args!("the oldest revision is now {compacted}")).await,
    }
}

/// Prints the settings, after they were changed if that was asked for.
pub async fn settings(arguments: SettingsArguments) -> Result<(), CommandError> {
    let output = arguments.connection.output.unwrap_or(Output::Table);
    let client = client(arguments.connection)?;
    let settings = match arguments.changes.is_empty() {
        true => client.settings().await?,
        false => client.change_settings(arguments.changes).await?,
    };
    match output {
        Output::Json => print_line(json(&quorate_api::SettingsAnswer { settings })).await,
        Output::Raw => {
            let line = |setting: &SettingAnswer| format!("{}={}\n", setting.name, setting.value);
            print(settings.iter().map(line).collect::<String>()).await
        }
        Output::Table => {
            let mut table = Table::new(["NAME", "VALUE", "DEFAULT", "FROM", "TO", "UNIT", "WHAT IT DECIDES"]);
            for SettingAnswer { name, value, default, minimum, maximum, unit, description } in settings {
                let [value, default, minimum, maximum] =
                    [value, default, minimum, maximum].map(|number| number.to_string());
                table.row([name, value, default, minimum, maximum, unit, description]);
            }
            print(table.with_titles()).await
        }
    }
}
