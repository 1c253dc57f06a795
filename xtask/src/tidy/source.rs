//! A Rust file taken apart: what is code, what is comment, and what it imports.
//!
//! A lint on text must not trip over a word in a comment or a string. This is no Rust parser: it knows
//! comments, strings, characters and `use`, and that is enough for the rules that we have.

/// A Rust file.
#[derive(Debug)]
pub struct Source {
    /// The code, line by line; comments and what is inside strings are blank.
    pub code: Vec<String>,
    /// The comments, line by line; all else is blank.
    pub comments: Vec<String>,
    /// The line, counted from 1, at which a `#[cfg(test)]` module starts. Ours stand last in a file.
    pub tests_from: Option<usize>,
    /// Every imported path, groups taken apart, with its line counted from 1.
    pub imports: Vec<(usize, String)>,
}

impl Source {
    /// Takes `text` apart.
    pub fn read(text: &str) -> Source {
        let (code, comments) = separate(text);
        let imports = imports(&code);
        let code: Vec<String> = code.lines().map(str::to_owned).collect();
        let comments = comments.lines().map(str::to_owned).collect();
        let tests_from = code.windows(2).position(|lines| {
            let module = lines[1].trim_start().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
            lines[0].trim() == "#[cfg(test)]" && module.starts_with("mod ") && lines[1].contains('{')
        });
        Source { code, comments, tests_from: tests_from.map(|index| index + 1), imports }
    }

    /// Whether `line`, counted from 1, is in the file's test module.
    pub fn is_test(&self, line: usize) -> bool {
        self.tests_from.is_some_and(|from| line >= from)
    }
}

/// Whether `code` uses `path` as whole words, and not as the end of a longer name. To define a function of
/// that name is not to use it: a trait of others may ask for it.
pub fn names(code: &str, path: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + path.len()..].chars().next();
        let is_definition = code[..at].ends_with("fn ");
        !before.is_some_and(is_word) && !after.is_some_and(is_word) && !is_definition
    })
}

/// The text twice, as long and with the same lines: only its code, and only its comments.
fn separate(text: &str) -> (String, String) {
    let characters: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut comments = String::with_capacity(text.len());
    let mut at = 0;
    while at < characters.len() {
        let (end, kind) = next_piece(&characters, at);
        for (offset, &character) in characters[at..end].iter().enumerate() {
            let blank = if character == '\n' { '\n' } else { ' ' };
            let is_quote = offset == 0 || at + offset + 1 == end;
            let (in_code, in_comments) = match kind {
                Piece::Code => (character, blank),
                Piece::Comment => (blank, character),
                Piece::Literal => (if is_quote { character } else { blank }, blank),
            };
            code.push(in_code);
            comments.push(in_comments);
        }
        at = end;
    }
    (code, comments)
}

#[derive(Clone, Copy)]
enum Piece {
    Code,
    Comment,
    Literal,
}

/// The piece that starts at `at`, and where it ends.
fn next_piece(text: &[char], at: usize) -> (usize, Piece) {
    let next = text.get(at + 1).copied();
    match text[at] {
        '/' if next == Some('/') => {
            let length = text[at..].iter().position(|&character| character == '\n');
            (length.map_or(text.len(), |length| at + length), Piece::Comment)
        }
        '/' if next == Some('*') => (end_of_block_comment(text, at), Piece::Comment),
        '"' => (end_of_quoted(text, at, '"'), Piece::Literal),
        '\'' if next == Some('\\') || text.get(at + 2) == Some(&'\'') => {
            (end_of_quoted(text, at, '\''), Piece::Literal)
        }
        'r' if !is_end_of_word(text, at) => match end_of_raw_string(text, at) {
            Some(end) => (end, Piece::Literal),
            None => (at + 1, Piece::Code),
        },
        _ => (at + 1, Piece::Code),
    }
}

fn end_of_block_comment(text: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut end = at;
    while end < text.len() {
        match (text[end], text.get(end + 1)) {
            ('/', Some('*')) => (depth, end) = (depth + 1, end + 2),
            ('*', Some('/')) => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            break;
        }
    }
    end.min(text.len())
}

fn end_of_quoted(text: &[char], at: usize, quote: char) -> usize {
    let mut end = at + 1;
    while end < text.len() && text[end] != quote {
        end += if text[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(text.len())
}

/// Where the raw string that starts with the `r` at `at` ends, if it is one.
fn end_of_raw_string(text: &[char], at: usize) -> Option<usize> {
    let hashes = text[at + 1..].iter().take_while(|&&character| character == '#').count();
    if text.get(at + 1 + hashes) != Some(&'"') {
        return None;
    }
    let mut end = at + 2 + hashes;
    while end < text.len() {
        let closes = text[end] == '"'
            && text[end + 1..].iter().take(hashes).filter(|&&character| character == '#').count() == hashes;
        if closes {
            return Some(end + 1 + hashes);
        }
        end += 1;
    }
    Some(text.len())
}

/// Whether the character at `at` belongs to a word that began before it, the `b` and `c` of byte and C
/// strings apart.
fn is_end_of_word(text: &[char], at: usize) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    match at.checked_sub(1).map(|before| text[before]) {
        Some('b' | 'c') => at >= 2 && is_word(text[at - 2]),
        Some(before) => is_word(before),
        None => false,
    }
}

/// Every path that `use` brings in.
fn imports(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(offset) = code[from..].find("use ") {
        let start = from + offset;
        from = start + "use ".len();
        let opens_statement =
            code[..start].chars().next_back().is_none_or(|before| before.is_whitespace() || before == ')');
        let Some(length) = code[from..].find(';') else { break };
        // In other places, such as a bound `use<T>` or a macro's text, no `;` follows soon; a wrong guess
        // only yields paths that no rule knows.
        if opens_statement {
            expand(code, "", from, from + length, &mut found);
        }
    }
    found
}

/// Adds the paths of the tree of imports that is `code[start..end]`, below `prefix`.
fn expand(code: &str, prefix: &str, start: usize, end: usize, found: &mut Vec<(usize, String)>) {
    let tree = &code[start..end];
    let Some(open) = tree.find('{') else {
        let path: String = tree.split(" as ").next().unwrap_or(tree).split_whitespace().collect();
        if !path.is_empty() {
            let leading = tree.len() - tree.trim_start().len();
            let line = 1 + code[..start + leading].matches('\n').count();
            let path = format!("{prefix}{path}");
            found.push((line, path.trim_start_matches("::").to_owned()));
        }
        return;
    };
    let inner_prefix: String = tree[..open].split_whitespace().collect();
    let prefix = format!("{prefix}{inner_prefix}");
    let (mut depth, mut part_start) = (0, open + 1);
    for (at, character) in tree.char_indices().skip_while(|&(at, _)| at <= open) {
        match character {
            '{' => depth += 1,
            ',' if depth == 0 => {
                expand(code, &prefix, start + part_start, start + at, found);
                part_start = at + 1;
            }
            '}' if depth == 0 => {
                expand(code, &prefix, start + part_start, start + at, found);
                return;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: &str, comments: &str) {
        let (found_code, found_comments) = separate(text);
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeeze(&found_code), code);
        assert_eq!(squeeze(&found_comments), comments);
        assert_eq!(found_code.lines().count(), text.lines().count());
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        check("let a = 1; // why\nlet b;", "let a = 1; let b;", "// why");
        check("a /* one /* two */ three */ b", "a b", "/* one /* two */ three */");
        check(r#"let a = "x // \" y"; b"#, r#"let a = " "; b"#, "");
        check("let a = r#\"x \" y\"#; b", "let a = r #; b", "");
        check("let a = br\"x\"; 'b'; '\\''; f::<'a>(x)", "let a = br \"; ' '; ' '; f::<'a>(x)", "");
        check("let r#type = r; bar\"x\"", "let r#type = r; bar\" \"", "");
    }

    #[test]
    fn imports_are_taken_apart() {
        let text = "use a::b;\npub use c::{d, e::{f, g as h},\n    i::*};\nfn x() { use ::j::k; }";
        let source = Source::read(text);
        let expected =
            [(1, "a::b"), (2, "c::d"), (2, "c::e::f"), (2, "c::e::g"), (3, "c::i::*"), (4, "j::k")];
        assert_eq!(source.imports, expected.map(|(line, path)| (line, path.to_owned())));
    }

    #[test]
    fn a_name_is_whole_words() {
        assert!(names("x = tokio::time::sleep()", "tokio::time"));
        assert!(!names("x = tokio::timeout()", "tokio::time"));
        assert!(!names("my_tokio::time", "tokio::time"));
        assert!(!names("fn spawn_blocking() {", "spawn_blocking"));
        assert!(names("runtime.spawn_blocking(work)", "spawn_blocking"));
    }

    #[test]
    fn the_test_module_starts_where_its_attribute_stands() {
        let source = Source::read("fn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n");
        assert!(!source.is_test(2));
        assert!(source.is_test(3));
        assert!(!Source::read("#[cfg(test)]\nmod tests;\nfn a() {}").is_test(3));
    }
}
