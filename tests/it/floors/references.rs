//! The references in one file of code: its imports, the paths in it, and the calls in its `impl` blocks.

use std::ops::Range;

use super::text::{Kind, Token, closing};

/// A path, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub path: Vec<String>,
    pub line: usize,
}

/// One leaf of a `use`: `Shape` is `geo::Form` in `use geo::{Form as Shape}`.
#[derive(Debug)]
pub struct Import {
    pub name: String,
    pub target: Named,
    pub public: bool,
}

/// An `impl` block: the type, what it defines, and what it calls on `self` or by the type's name.
#[derive(Debug)]
pub struct Impl {
    pub of: Vec<String>,
    pub of_trait: bool,
    pub methods: Vec<String>,
    pub calls: Vec<Named>,
}

#[derive(Debug, Default)]
pub struct References {
    pub imports: Vec<Import>,
    /// Outside of imports, with two names at least.
    pub paths: Vec<Named>,
    pub impls: Vec<Impl>,
    inline: usize,
}

impl References {
    pub fn read(code: &[Token<'_>]) -> Self {
        let mut references = Self::default();
        // The ends of the inline modules around `at`.
        let mut inline = Vec::new();
        let mut at = 0;
        while at < code.len() {
            inline.retain(|end| at < *end);
            references.inline = inline.len();
            if code[at].is("mod") && code.get(at + 2).is_some_and(|token| token.is("{")) {
                inline.push(closing(code, at + 2));
            }
            if code[at].is("use") && !code.get(at + 1).is_some_and(|next| next.is("<")) {
                at = references.import(code, at);
                continue;
            }
            if code[at].is("impl") && begins_item(code, at) {
                references.impls.extend(block(code, at));
            }
            at = references.path(code, at);
        }
        references
    }

    /// Reads the `use` that stands here and returns the position after it.
    fn import(&mut self, code: &[Token<'_>], at: usize) -> usize {
        let end = code[at..].iter().position(|token| token.is(";")).map_or(code.len(), |n| at + n);
        let public = at > 0 && (code[at - 1].is("pub") || code[at - 1].is(")"));
        let mut tree = Tree { code: &code[at + 1..end], at: 0, leaves: Vec::new() };
        tree.read(&[]);
        for (name, mut target) in tree.leaves {
            self.leave_inline(&mut target.path);
            self.imports.push(Import { name, target, public });
        }
        end + 1
    }

    /// Reads the path that begins here, if one does, and returns the position after it.
    fn path(&mut self, code: &[Token<'_>], at: usize) -> usize {
        let (mut path, end) = path_at(code, at);
        let before = &code[at.saturating_sub(2)..at];
        let goes_on = before.last().is_some_and(|token| token.is("::"));
        // `pub(in crate::tree)` says who may name the item, and names nothing.
        let is_visibility = before.len() == 2 && before[0].is("(") && before[1].is("in");
        if path.len() > 1 && !goes_on && !is_visibility {
            self.leave_inline(&mut path);
            self.paths.push(Named { path, line: code[at].line });
        }
        end.max(at + 1)
    }

    /// A path as the file's own module says it: a module in the file is one `super` deeper.
    fn leave_inline(&self, path: &mut Vec<String>) {
        let ups = path.iter().take_while(|name| *name == "super").count();
        let dropped = ups.min(self.inline);
        path.drain(..dropped);
        if dropped > 0 && ups == dropped {
            path.insert(0, "self".to_owned());
        }
    }
}

/// The names that `::` joins from here on, and the position after them.
fn path_at(code: &[Token<'_>], start: usize) -> (Vec<String>, usize) {
    let mut path = Vec::new();
    let mut at = start;
    while code.get(at).is_some_and(|token| token.kind == Kind::Word) {
        path.push(code[at].text.to_owned());
        at += 1;
        let goes_on = code.get(at + 1).is_some_and(|token| token.kind == Kind::Word);
        if !code.get(at).is_some_and(|token| token.is("::")) || !goes_on {
            break;
        }
        at += 1;
    }
    (path, at)
}

/// The tree of one `use`.
struct Tree<'a> {
    code: &'a [Token<'a>],
    at: usize,
    leaves: Vec<(String, Named)>,
}

impl Tree<'_> {
    fn read(&mut self, before: &[String]) {
        let line = self.code.get(self.at).map_or(0, |token| token.line);
        if self.takes("::") {
            return self.read(before);
        }
        if self.takes("{") {
            while !self.takes("}") && self.at < self.code.len() {
                self.read(before);
                self.takes(",");
            }
            return;
        }
        if self.takes("*") {
            return self.leaf("*", Named { path: before.to_vec(), line });
        }
        let (names, end) = path_at(self.code, self.at);
        self.at = end;
        let mut path = before.to_vec();
        // `{self}` is the module before it.
        path.extend(names.into_iter().filter(|name| before.is_empty() || name != "self"));
        if self.takes("::") {
            return self.read(&path);
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if self.takes("as") {
            self.code[self.at].text.clone_into(&mut name);
            self.at += 1;
        }
        self.leaf(&name, Named { path, line });
    }

    fn leaf(&mut self, name: &str, target: Named) {
        self.leaves.push((name.to_owned(), target));
    }

    fn takes(&mut self, text: &str) -> bool {
        let taken = self.code.get(self.at).is_some_and(|token| token.is(text));
        self.at += usize::from(taken);
        taken
    }
}

/// Whether an `impl` that stands here is a block: not a type, as in `-> impl Iterator`.
fn begins_item(code: &[Token<'_>], at: usize) -> bool {
    at.checked_sub(1)
        .is_none_or(|before| ["}", ";", "]", "{", "unsafe"].contains(&code[before].text))
}

fn block(code: &[Token<'_>], at: usize) -> Option<Impl> {
    let open = at + code[at..].iter().position(|token| token.is("{"))?;
    let mut head = at + 1;
    if code[head].is("<") {
        head = after_generics(code, head);
    }
    let until = code[head..open].iter().position(|token| token.is("where"));
    let subject = &code[head..until.map_or(open, |n| head + n)];
    let joined = |at: usize| subject.get(at + 1).is_some_and(|next| next.is("<"));
    let by = subject.iter().enumerate().position(|(at, token)| token.is("for") && !joined(at));
    let of = &subject[by.map_or(0, |at| at + 1)..];
    let first = of.iter().position(|token| {
        token.kind == Kind::Word && !["mut", "dyn", "const"].contains(&token.text)
    })?;
    let body = open + 1..closing(code, open);
    Some(Impl {
        of: path_at(of, first).0,
        of_trait: by.is_some(),
        methods: methods(code, body.clone()),
        calls: calls(code, body),
    })
}

fn after_generics(code: &[Token<'_>], open: usize) -> usize {
    let mut deep = 0_usize;
    for (at, token) in code.iter().enumerate().skip(open) {
        if token.is("<") {
            deep += 1;
        } else if token.is(">") {
            deep -= 1;
            if deep == 0 {
                return at + 1;
            }
        }
    }
    code.len()
}

/// The functions that stand in the block itself.
fn methods(code: &[Token<'_>], body: Range<usize>) -> Vec<String> {
    let mut found = Vec::new();
    let mut at = body.start;
    while at < body.end {
        if code[at].is("fn") && code[at + 1].kind == Kind::Word {
            found.push(code[at + 1].text.to_owned());
        }
        at = if code[at].is("{") { closing(code, at) } else { at + 1 };
    }
    found
}

/// `self.name(`, `self.name::<`, and `Self::name`.
fn calls(code: &[Token<'_>], body: Range<usize>) -> Vec<Named> {
    let mut found = Vec::new();
    for at in body.start..body.end.saturating_sub(3) {
        let [subject, join, name, after] = [0, 1, 2, 3].map(|n| code[at + n]);
        let called = after.is("(") || after.is("::");
        let on_self = subject.is("self") && join.is(".") && called;
        let by_type = subject.is("Self") && join.is("::");
        if name.kind == Kind::Word && (on_self || by_type) {
            let path = vec![subject.text.to_owned(), name.text.to_owned()];
            found.push(Named { path, line: name.line });
        }
    }
    found
}
