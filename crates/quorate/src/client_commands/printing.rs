//! Printing: tables, JSON and bare bytes.

use serde::Serialize;
use tokio::io::AsyncWriteExt;

use crate::error::CommandError;

/// The longest text of a cell in a table, in characters.
const CELL_CHARACTERS_MAX: usize = 60;

/// Writes to standard output.
pub async fn print(bytes: impl AsRef<[u8]>) -> Result<(), CommandError> {
    let mut output = tokio::io::stdout();
    output.write_all(bytes.as_ref()).await?;
    output.flush().await?;
    Ok(())
}

/// Writes a line to standard output.
pub async fn print_line(text: impl std::fmt::Display) -> Result<(), CommandError> {
    print(format!("{text}\n")).await
}

/// A value of the API as JSON.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("wire types can be written as JSON")
}

/// Rows of cells below their titles, each column as wide as its widest cell.
#[derive(Debug)]
pub struct Table<const COLUMNS: usize> {
    titles: [&'static str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table without rows.
    pub fn new(titles: [&'static str; COLUMNS]) -> Self {
        Self { titles, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells);
    }

    /// The rows as text, below the titles.
    pub fn with_titles(mut self) -> String {
        let titles = self.titles.map(str::to_owned);
        self.rows.insert(0, titles);
        self.without_titles()
    }

    /// The rows as text.
    pub fn without_titles(self) -> String {
        let mut widths = [0; COLUMNS];
        for row in self.rows.iter() {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        for row in self.rows {
            let mut line = String::new();
            for (width, cell) in widths.iter().zip(row) {
                line.push_str(&format!("{cell:<width$}  "));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Bytes as a cell: text where they are text, with escapes for what a terminal should not get, and cut.
pub fn cell(bytes: &[u8]) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.chars().map(escaped).collect::<String>(),
        Err(_) => bytes.escape_ascii().to_string(),
    };
    match text.char_indices().nth(CELL_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn escaped(character: char) -> String {
    match character.is_control() {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_have_to_be() {
        let mut table = Table::new(["KEY", "VALUE"]);
        table.row(["a".to_owned(), "1".to_owned()]);
        table.row(["grün".to_owned(), String::new()]);
        assert_eq!(table.with_titles(), "KEY   VALUE\na     1\ngrün\n");
        assert_eq!(Table::new(["KEY"]).without_titles(), "");
    }

    #[test]
    fn a_cell_does_nothing_to_a_terminal() {
        assert_eq!(cell("grün\n\x1b[1m".as_bytes()), "grün\\n\\u{1b}[1m");
        assert_eq!(cell(b"\xff a"), "\\xff a");
        assert_eq!(cell("ü".repeat(61).as_bytes()), format!("{}…", "ü".repeat(60)));
        assert_eq!(cell("ü".repeat(60).as_bytes()), "ü".repeat(60));
    }
}
