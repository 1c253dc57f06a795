//! The live table on a terminal.

use std::io;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Paragraph, Row, Table};
use ratatui::{DefaultTerminal, Frame};
use tokio::sync::mpsc;

use super::view::{NodeView, TITLES, View};

/// From how many log entries on a node counts as behind.
const LAG_WORTH_A_LOOK: u64 = 1_000;
/// Columns between cells.
const SPACING: u16 = 2;

/// What the user wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// No more.
    Quit,
    /// The same once more: the window has another size.
    Draw,
}

/// The terminal, taken over. It is given back when this is dropped.
#[derive(Debug)]
pub struct Screen {
    terminal: DefaultTerminal,
    wishes: mpsc::Receiver<io::Result<Wish>>,
    view: Option<View>,
}

impl Screen {
    /// Takes the terminal over.
    pub fn open() -> io::Result<Self> {
        let terminal = ratatui::try_init()?;
        let (sender, wishes) = mpsc::channel(1);
        // Keys are waited for in a thread of their own, which nobody waits for at the end.
        std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
            loop {
                let wish = event::read().map(wish_of).transpose();
                let is_last = matches!(wish, Some(Err(_)));
                if let Some(wish) = wish
                    && (sender.blocking_send(wish).is_err() || is_last)
                {
                    return;
                }
            }
        })?;
        let mut screen = Self { terminal, wishes, view: None };
        screen.draw()?;
        Ok(screen)
    }

    /// Waits until the user wants something.
    pub async fn next_wish(&mut self) -> io::Result<Wish> {
        self.wishes.recv().await.unwrap_or(Ok(Wish::Quit))
    }

    /// Shows something newer.
    pub fn show(&mut self, view: View) -> io::Result<()> {
        self.view = Some(view);
        self.draw()
    }

    /// Draws what was shown last.
    pub fn draw(&mut self) -> io::Result<()> {
        let Self { terminal, view, .. } = self;
        terminal.draw(|frame| draw(frame, view.as_ref())).map(|_| ())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

fn wish_of(event: Event) -> Option<Wish> {
    match event {
        Event::Resize(..) => Some(Wish::Draw),
        Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press, .. }) => match code {
            KeyCode::Char('q') | KeyCode::Esc => Some(Wish::Quit),
            // The terminal makes no signal of it as long as it is ours.
            KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Some(Wish::Quit),
            _ => None,
        },
        _ => None,
    }
}

fn draw(frame: &mut Frame<'_>, view: Option<&View>) {
    let [summary, nodes, help] =
        Layout::vertical([Constraint::Length(3), Constraint::Min(1), Constraint::Length(1)])
            .areas(frame.area());
    frame.render_widget(Line::styled("q quits", Modifier::DIM), help);
    let Some(view) = view else {
        frame.render_widget(Paragraph::new("asking the nodes …"), summary);
        return;
    };
    frame.render_widget(Paragraph::new(view.summary().map(Line::from).to_vec()), summary);
    frame.render_widget(table(view), nodes);
}

fn table(view: &View) -> Table<'static> {
    let rows: Vec<_> = view.nodes.iter().map(|node| (node.cells(), style(view, node))).collect();
    let widths: [Constraint; TITLES.len()] = std::array::from_fn(|column| {
        let cells = rows.iter().map(|(cells, _)| cells[column].chars().count());
        let width = cells.chain([TITLES[column].len()]).max().unwrap_or_default();
        // Where there is too little room, the last column is cut.
        if column + 1 == TITLES.len() {
            Constraint::Fill(1)
        } else {
            Constraint::Length(u16::try_from(width).unwrap_or(u16::MAX))
        }
    });
    let rows = rows.into_iter().map(|(cells, style)| Row::new(cells.map(Cell::from)).style(style));
    Table::new(rows, widths).header(Row::new(TITLES).style(Modifier::BOLD)).column_spacing(SPACING)
}

/// Red for what is not there, yellow for what is not well, green for who leads.
fn style(view: &View, node: &NodeView) -> Style {
    if node.error.is_some() {
        Style::new().fg(Color::Red)
    } else if !node.ready || node.lag.is_some_and(|lag| lag >= LAG_WORTH_A_LOOK) {
        Style::new().fg(Color::Yellow)
    } else if node.member.is_some() && node.member == view.leader {
        Style::new().fg(Color::Green)
    } else {
        Style::new()
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::view::Rates;
    use super::*;

    fn node(member: u64, role: Option<&'static str>) -> NodeView {
        NodeView {
            url: format!("http://10.0.0.{member}:7801"),
            error: role.is_none().then(|| "it is off".to_owned()),
            member: Some(member),
            role,
            ready: role.is_some(),
            term: role.map(|_| 7),
            revision: role.map(|_| 42),
            lag: role.map(|_| 0),
            rates: Rates::default(),
        }
    }

    fn lines_of(view: Option<&View>) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(110, 8)).expect("it is in memory");
        terminal.draw(|frame| draw(frame, view)).expect("it is in memory");
        let buffer = terminal.backend().buffer().clone();
        let rows = buffer.content().chunks(110);
        let rows = rows.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
        rows.map(|row| row.trim_end().to_owned()).collect()
    }

    #[test]
    fn a_view_is_drawn_as_a_table() {
        let view = View {
            cluster_id: Some("abc".to_owned()),
            leader: Some(1),
            term: 7,
            keys: 3,
            stored_bytes: 2048,
            quota_bytes: 1 << 30,
            total: Rates { requests: Some(12.0), ..Rates::default() },
            nodes: vec![node(1, Some("leader")), node(2, None)],
        };
        let lines = lines_of(Some(&view));
        assert_eq!(lines[0], "cluster abc, member 1 leads in term 7, 3 keys, 2.0 KiB of 1.0 GiB stored");
        assert_eq!(lines[1], "all nodes: 12 operations/s, - failed/s, p50 -, p99 -");
        assert_eq!(lines[3], "MEMBER  ROLE    TERM  REVISION  LAG  OPS/S  FAILED/S  P50  P99  FLUSH  URL");
        assert!(lines[4].starts_with("1       leader  7     42        0    -"), "{}", lines[4]);
        assert!(lines[5].starts_with("2       silent  -     -         -    -"), "{}", lines[5]);
        assert_eq!(lines[7], "q quits");
    }

    #[test]
    fn before_the_first_answer_it_says_what_it_waits_for() {
        assert_eq!(lines_of(None)[0], "asking the nodes …");
    }

    #[test]
    fn the_usual_keys_end_it() {
        let key = |code, modifiers| wish_of(Event::Key(KeyEvent::new(code, modifiers)));
        assert_eq!(key(KeyCode::Char('q'), KeyModifiers::NONE), Some(Wish::Quit));
        assert_eq!(key(KeyCode::Esc, KeyModifiers::NONE), Some(Wish::Quit));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Wish::Quit));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::NONE), None);
        assert_eq!(wish_of(Event::Resize(80, 24)), Some(Wish::Draw));
    }
}
