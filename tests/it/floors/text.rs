//! Rust text as tokens: enough of the language to find the names, paths and braces in it.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Word,
    Sign,
    Literal,
    Lifetime,
    Comment,
}

#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub line: usize,
}

impl Token<'_> {
    pub fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Sign) && self.text == text
    }
}

/// All tokens of a file. A sign is one character; `::` and `->` are one token each.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (kind, length) = next(rest, first);
        if let Some(kind) = kind {
            found.push(Token { kind, text: &rest[..length], line });
        }
        line += rest[..length].matches('\n').count();
        at += length;
    }
    found
}

/// The tokens without comments.
pub fn code<'a>(tokens: &[Token<'a>]) -> Vec<Token<'a>> {
    tokens.iter().filter(|token| token.kind != Kind::Comment).copied().collect()
}

/// The tokens that a build without tests compiles: no item, field or statement behind `#[cfg(test)]`.
pub fn product<'a>(code: &[Token<'a>]) -> Vec<Token<'a>> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < code.len() {
        let Some(end) = attribute_end(code, at) else {
            kept.push(code[at]);
            at += 1;
            continue;
        };
        let attribute: String = code[at..end].iter().map(|token| token.text).collect();
        if attribute == "#[cfg(test)]" {
            at = item_end(code, end);
        } else {
            kept.extend_from_slice(&code[at..end]);
            at = end;
        }
    }
    kept
}

/// Where the attribute that begins here ends.
fn attribute_end(code: &[Token<'_>], at: usize) -> Option<usize> {
    let bang = usize::from(code.get(at + 1).is_some_and(|token| token.is("!")));
    let opens = code[at].is("#") && code.get(at + 1 + bang).is_some_and(|token| token.is("["));
    opens.then(|| closing(code, at + 1 + bang))
}

/// The position after the bracket that closes the one at `open`.
pub fn closing(code: &[Token<'_>], open: usize) -> usize {
    let mut deep = 0_usize;
    for (at, token) in code.iter().enumerate().skip(open) {
        match depth_change(token) {
            Some(Change::In) => deep += 1,
            Some(Change::Out) if deep <= 1 => return at + 1,
            Some(Change::Out) => deep -= 1,
            None => {}
        }
    }
    code.len()
}

enum Change {
    In,
    Out,
}

fn depth_change(token: &Token<'_>) -> Option<Change> {
    match (token.kind, token.text) {
        (Kind::Sign, "{" | "(" | "[") => Some(Change::In),
        (Kind::Sign, "}" | ")" | "]") => Some(Change::Out),
        _ => None,
    }
}

/// The position after the item, field or statement that begins at `start`.
fn item_end(code: &[Token<'_>], start: usize) -> usize {
    const ITEMS: [&str; 13] = [
        "async",
        "const",
        "enum",
        "extern",
        "fn",
        "impl",
        "macro_rules",
        "mod",
        "static",
        "struct",
        "trait",
        "type",
        "unsafe",
    ];
    let mut at = start;
    while let Some(end) = code.get(at).and_then(|_| attribute_end(code, at)) {
        at = end;
    }
    if code.get(at).is_some_and(|token| token.is("pub")) {
        at += 1;
        if code.get(at).is_some_and(|token| token.is("(")) {
            at = closing(code, at);
        }
    }
    let is_use = code.get(at).is_some_and(|token| token.is("use"));
    let is_item = code.get(at).is_some_and(|token| ITEMS.contains(&token.text));
    while let Some(token) = code.get(at) {
        match token.text {
            ";" => return at + 1,
            "," if !is_item && !is_use => return at + 1,
            "{" if is_item => return closing(code, at),
            "{" | "(" | "[" => at = closing(code, at),
            "}" => return at,
            _ => at += 1,
        }
    }
    at
}

pub fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The kind and length of what begins here; no kind for blanks.
fn next(rest: &str, first: char) -> (Option<Kind>, usize) {
    let run = |wanted: fn(char) -> bool| rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    if first.is_whitespace() {
        return (None, run(char::is_whitespace));
    }
    if rest.starts_with("//") {
        return (Some(Kind::Comment), rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Some(Kind::Comment), until(rest, 2, "*/"));
    }
    if let Some(length) = raw_string(rest) {
        return (Some(Kind::Literal), length);
    }
    let prefix = usize::from(rest.starts_with("b\"") || rest.starts_with("c\""));
    if rest[prefix..].starts_with('"') {
        return (Some(Kind::Literal), prefix + quoted(&rest[prefix..]));
    }
    if is_word_char(first) {
        return (Some(Kind::Word), run(is_word_char));
    }
    if first == '\'' {
        return character(rest);
    }
    let double = rest.starts_with("::") || rest.starts_with("->");
    (Some(Kind::Sign), if double { 2 } else { first.len_utf8() })
}

fn until(rest: &str, from: usize, end: &str) -> usize {
    rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len())
}

fn raw_string(rest: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"].iter().find(|prefix| {
        rest.strip_prefix(**prefix).is_some_and(|rest| rest.starts_with(['"', '#']))
    })?;
    let hashes = rest[prefix.len()..].chars().take_while(|c| *c == '#').count();
    let open = prefix.len() + hashes;
    rest[open..]
        .starts_with('"')
        .then(|| until(rest, open + 1, &format!("\"{}", "#".repeat(hashes))))
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    rest.len()
}

/// A lifetime has no second quote where a character has it.
fn character(rest: &str) -> (Option<Kind>, usize) {
    let mut chars = rest[1..].chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), _) => (Some(Kind::Literal), until(rest, 3, "'")),
        (Some(c), Some('\'')) => (Some(Kind::Literal), 2 + c.len_utf8()),
        _ => (
            Some(Kind::Lifetime),
            1 + rest[1..].find(|c| !is_word_char(c)).unwrap_or(rest.len() - 1),
        ),
    }
}
