//! The page of a picture, in a real browser without a screen.
//!
//! The browser tests need a Chromium in the path. Without one they say so and pass; what does not need
//! one is tested always.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use quorate_jepsen::history::NemesisEvent;
use quorate_jepsen::picture::{
    Picture, PictureBand, PictureConflict, PictureEnding, PictureOperation, PictureVerdict, write_html,
};
use quorate_jepsen::register::{Ending, RegisterHistory, Request, Spending, check};
use quorate_jepsen::transactions::{Guarantee, Seen, Step, TransactionHistory, check_transactions};

const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

fn html(picture: &Picture) -> String {
    let mut page = Vec::new();
    write_html(picture, &mut page).expect("writing to memory");
    String::from_utf8(page).expect("a page is text")
}

/// Reads, writes and compare-and-sets of many keys by 20 clients, with a partition. `stale` makes one
/// read in the middle see the value before the last.
fn registers(operations: u64, stale: bool) -> RegisterHistory {
    let mut history = RegisterHistory::new();
    let mut values = vec![Vec::new(); 10];
    let fault = |function: &str, time| NemesisEvent {
        process: "nemesis".to_owned(),
        function: function.to_owned(),
        value: serde_json::Value::Null,
        time,
    };
    let length = operations * 10_000;
    history.record_nemesis(fault("partition", length / 4));
    history.record_nemesis(fault("heal", length / 3));
    history.record_nemesis(fault("kill", length / 2));
    for number in 0..operations {
        let key = history.key(format!("k{}", number % 10).as_bytes());
        let begin = 10_000 * number + 500;
        let (client, line) = (number % 20, 2 * number as u32 + 1);
        let end = begin + 100_000 + 37 * (number % 1_000);
        let known = &mut values[(number % 10) as usize];
        // Takes effect at its beginning, so the next operation on the key begins later.
        if number % 3 == 0 {
            let value = history.new_value(key, number.to_string().as_bytes());
            known.push(value);
            let write = history.invoke(client, key, Request::Write(value), begin, line);
            let ending = if number % 60 == 0 { Ending::Unknown } else { Ending::Done };
            history.complete(write, ending, end, line + 1);
        } else if let Some(current) = known.last().copied() {
            let is_stale = stale && number / 10 == operations / 20 && known.len() > 3;
            let seen = if is_stale { known[known.len() - 4] } else { current };
            let read = history.invoke(client, key, Request::Read, begin, line);
            history.complete(read, Ending::Value(seen), end, line + 1);
        }
    }
    history
}

/// The attributes that the script leaves on the page when it has drawn; none without a browser.
struct Browser {
    program: &'static str,
}

impl Browser {
    fn find() -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_installed =
            |name: &&&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
        let program = BROWSERS.iter().find(is_installed).copied();
        if program.is_none() {
            println!("SKIPPED: none of {BROWSERS:?} is in the path");
        }
        program.map(|program| Self { program })
    }

    fn start(&self, profile: &Path) -> Command {
        let mut command = Command::new(self.program);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,800"]);
        command.args(["--enable-logging=stderr", "--v=0", "--virtual-time-budget=10000"]);
        command.arg(format!("--user-data-dir={}", profile.display()));
        command
    }

    /// Opens a page and gives what its body says of itself.
    fn open(&self, page: &str, fragment: &str) -> Drawn {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("history.html");
        std::fs::write(&file, page).expect("writing the page");
        let begin = Instant::now();
        let output = self
            .start(folder.path())
            .arg("--dump-dom")
            .arg(format!("file://{}{fragment}", file.display()))
            .output()
            .expect("starting the browser");
        println!("{} bytes opened and drawn in {:?}", page.len(), begin.elapsed());
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!errors.contains("CONSOLE"), "the script complains: {errors}");
        let text = String::from_utf8(output.stdout).expect("a page is text");
        let body = text.find("<body").unwrap_or_else(|| panic!("no body: {errors}"));
        let end = body + text[body..].find('>').expect("the body's tag ends");
        Drawn { body: text[body..end].to_owned() }
    }
}

struct Drawn {
    body: String,
}

impl Drawn {
    #[track_caller]
    fn text(&self, name: &str) -> &str {
        let begin = format!("data-{name}=\"");
        let at = self.body.find(&begin).unwrap_or_else(|| panic!("no {name} in {}", self.body));
        let value = &self.body[at + begin.len()..];
        &value[..value.find('"').expect("an attribute ends")]
    }

    #[track_caller]
    fn number(&self, name: &str) -> u64 {
        self.text(name).parse().expect("a number")
    }

    /// Beginning and end of the window, counted from the first event.
    #[track_caller]
    fn window(&self) -> (i64, i64) {
        let (from, to) = self.text("window").split_once(' ').expect("two numbers");
        (from.parse().expect("a number"), to.parse().expect("a number"))
    }
}

#[test]
fn a_hundred_thousand_operations_open_at_the_contradiction() {
    let Some(browser) = Browser::find() else { return };
    let history = registers(110_000, true);
    let verdict = check(&history, &Spending::default());
    let certificate = verdict.certificate().expect("a stale read");
    let first = history.operation(certificate.operations[0]).invoked;
    let drawn = browser.open(&html(&Picture::of_registers(&history, &verdict)), "");
    assert_eq!(drawn.number("operations"), history.len() as u64);
    assert!(history.len() > 100_000);
    assert_eq!(drawn.number("conflicts"), 1);
    let (from, to) = drawn.window();
    let first = first as i64 - 500;
    assert!(from <= first && first <= to, "{first} is not in {from} to {to}");
    assert!(to - from < 10_000 * 110_000 / 100, "the window {from} to {to} is no window");
    let bars = drawn.number("drawn");
    assert!((2..2_000).contains(&bars), "{bars} bars");
}

#[test]
fn a_right_history_opens_with_its_points_and_finds_a_key() {
    let Some(browser) = Browser::find() else { return };
    let history = registers(2_000, false);
    let verdict = check(&history, &Spending::default());
    assert!(verdict.is_linearizable(), "{verdict:?}");
    let picture = Picture::of_registers(&history, &verdict);
    assert!(picture.operations.iter().filter(|operation| operation.point.is_some()).count() > 1_900);
    let drawn = browser.open(&html(&picture), "#key=k7");
    let wanted = picture.keys.iter().position(|key| key == "k7").expect("the key") as u32;
    let found = picture.operations.iter().filter(|operation| operation.keys.contains(&wanted)).count();
    assert_eq!(drawn.number("found"), found as u64);
    assert_eq!(drawn.number("conflicts"), 0);
    assert!(drawn.number("drawn") > 100);
    let click = "<script>document.getElementById('in').click()</script></body>";
    let zoomed = browser.open(&html(&picture).replace("</body>", click), "");
    let ((from, to), (zoomed_from, zoomed_to)) = (drawn.window(), zoomed.window());
    assert!((from + to - zoomed_from - zoomed_to).abs() < 4, "another middle");
    assert!((2 * (zoomed_to - zoomed_from) - (to - from)).abs() < 4, "not half of it");
}

#[test]
fn transactions_are_drawn_with_their_anomalies() {
    let Some(browser) = Browser::find() else { return };
    let mut history = TransactionHistory::new();
    let (x, y) = (history.key("x"), history.key("<script>&y"));
    let one = history.value("1");
    let appends = [Step::Append { key: x, value: one }, Step::Append { key: y, value: one }];
    let asked = [Step::Read { key: x, seen: Seen::Unknown }, Step::Read { key: y, seen: Seen::Unknown }];
    let write = history.invoke(0, &appends, 10, 1);
    let read = history.invoke(1, &asked, 11, 2);
    history.ok(write, &appends, 20, 3).expect("the same steps");
    let seen = Seen::List(history.list(&[one]));
    let answer = [Step::Read { key: x, seen }, Step::Read { key: y, seen: Seen::Nothing }];
    history.ok(read, &answer, 21, 4).expect("the same steps");
    let report = check_transactions(&history, Guarantee::StrictlySerializable).expect("a workload");
    let drawn = browser.open(&html(&Picture::of_transactions(&history, &report)), "");
    assert_eq!((drawn.number("operations"), drawn.number("drawn")), (2, 2));
    assert_eq!(drawn.number("conflicts"), report.anomalies().len() as u64);
}

fn small() -> Picture {
    Picture {
        title: "a < b & \"c\"".to_owned(),
        verdict: PictureVerdict::Broken,
        summary: "</script><b>".to_owned(),
        keys: vec!["</script>".to_owned()],
        operations: vec![PictureOperation {
            process: 3,
            keys: vec![0],
            label: "read: </script>".to_owned(),
            begin: u64::MAX - 10,
            end: None,
            ending: PictureEnding::Unknown,
            point: None,
            lines: (1, 0),
        }],
        bands: vec![PictureBand { label: "kill".to_owned(), begin: u64::MAX - 12, end: None }],
        conflicts: vec![PictureConflict {
            title: "T".to_owned(),
            explanation: "</script>".to_owned(),
            operations: vec![0],
        }],
    }
}

#[test]
fn nothing_in_a_history_escapes_into_the_page_and_nothing_is_fetched() {
    let page = html(&small());
    assert_eq!(page.matches("</script>").count(), 2, "the two ends that the page itself writes");
    assert!(page.contains("<title>a &lt; b &amp; &quot;c&quot;</title>"));
    for reference in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(reference), "the page refers to something by {reference}");
    }
}

#[test]
fn times_count_from_the_first_event() {
    let page = html(&small());
    assert!(page.contains("\"begin\":[2],\"end\":[-1]"), "{page}");
    assert!(page.contains("\"bands\":[[\"kill\",0,-1]]"), "{page}");
}

#[test]
fn a_picture_of_nothing_opens() {
    let empty = Picture { operations: Vec::new(), bands: Vec::new(), conflicts: Vec::new(), ..small() };
    let page = html(&empty);
    assert!(page.contains("\"lanes\":0"));
    if let Some(browser) = Browser::find() {
        assert_eq!(browser.open(&page, "").number("operations"), 0);
    }
}
