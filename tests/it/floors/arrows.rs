//! Arrows between files: every name in one that stands for something in another.

use std::collections::BTreeMap;

use super::said::{Named, Said};
use super::source::File;
use super::text;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// The positions of both files.
    pub from: usize,
    pub to: usize,
    pub line: usize,
    /// As written, such as `crate::blob::Error` or `self.forget`.
    pub by: String,
}

/// Whether what is compiled for tests alone counts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tests {
    Counted,
    LeftOut,
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Module(usize),
    /// Something in a file that is no module with a file of its own.
    Item(usize, String),
}

/// The file and name of a type.
type Type = (usize, String);

/// Where a method lies.
struct Method {
    file: usize,
    of_trait: bool,
}

struct Names<'a> {
    files: &'a [File],
    said: Vec<Said>,
    by_module: BTreeMap<&'a [String], usize>,
    methods: BTreeMap<Type, BTreeMap<String, Vec<Method>>>,
}

/// The arrows of all files, each pair of files once for each name.
pub fn arrows(files: &[File], tests: Tests) -> Vec<Arrow> {
    let names = Names::new(files, tests);
    let mut found = Vec::new();
    for (from, file) in files.iter().enumerate() {
        if tests == Tests::Counted || !file.tests_only {
            names.arrows_of(from, &mut found);
        }
    }
    found.retain(|arrow| arrow.from != arrow.to);
    found.sort_by_key(|arrow| (arrow.from, arrow.to, arrow.line));
    found.dedup_by(|a, b| (a.from, a.to, &a.by) == (b.from, b.to, &b.by));
    found
}

impl<'a> Names<'a> {
    fn new(files: &'a [File], tests: Tests) -> Self {
        let read = |file: &File| match tests {
            Tests::Counted => Said::read(&file.code()),
            Tests::LeftOut => Said::read(&text::product(&file.code())),
        };
        let said = files.iter().map(read).collect();
        let by_module = files.iter().enumerate().map(|(at, file)| (&file.module[..], at)).collect();
        let mut names = Self { files, said, by_module, methods: BTreeMap::new() };
        names.collect_methods();
        names
    }

    fn collect_methods(&mut self) {
        let mut methods: BTreeMap<_, BTreeMap<_, Vec<Method>>> = BTreeMap::new();
        for (file, said) in self.said.iter().enumerate() {
            for block in &said.impls {
                let known = methods.entry(self.type_of(file, &block.of)).or_default();
                for method in &block.methods {
                    known
                        .entry(method.clone())
                        .or_default()
                        .push(Method { file, of_trait: block.of_trait });
                }
            }
        }
        self.methods = methods;
    }

    /// The file and name of the type that an `impl` is for; one that nothing in the file declares is its own.
    fn type_of(&self, file: usize, path: &[String]) -> Type {
        match self.resolve(file, path, 0) {
            Some(Target::Item(file, name)) => (file, name),
            _ => (file, path.join("::")),
        }
    }

    fn arrows_of(&self, from: usize, found: &mut Vec<Arrow>) {
        let said = &self.said[from];
        let mut add = |to: usize, named: &Named, join: &str| {
            found.push(Arrow { from, to, line: named.line, by: named.path.join(join) });
        };
        for import in &said.imports {
            // A module that is imported counts where it is used; but one that is passed on is named.
            match self.resolve(from, &import.target.path, 0) {
                Some(Target::Item(to, _)) => add(to, &import.target, "::"),
                Some(Target::Module(to)) if import.public || import.name == "*" => {
                    add(to, &import.target, "::");
                }
                _ => {}
            }
        }
        for named in &said.paths {
            let of = match self.resolve(from, &named.path, 0) {
                Some(Target::Item(to, name)) => (to, name),
                Some(Target::Module(to)) => (to, String::new()),
                // A type of the file itself, or one from outside.
                None => (from, named.path[0].clone()),
            };
            add(of.0, named, "::");
            let method = named.path.last().expect("a path of two names");
            for to in self.method(from, &of, method) {
                add(to, named, "::");
            }
        }
        for block in &said.impls {
            let of = self.type_of(from, &block.of);
            for call in &block.calls {
                let join = if call.path[0] == "self" { "." } else { "::" };
                for to in self.method(from, &of, &call.path[1]) {
                    add(to, call, join);
                }
            }
        }
    }

    /// The files in which a method of a type lies, if none is in the file that calls it. Its own methods go before a trait's.
    fn method(&self, from: usize, of: &Type, method: &str) -> Vec<usize> {
        let Some(known) = self.methods.get(of).and_then(|methods| methods.get(method)) else {
            return Vec::new();
        };
        if known.iter().any(|method| method.file == from) {
            return Vec::new();
        }
        let own = known.iter().any(|method| !method.of_trait);
        let wanted = known.iter().filter(|method| !(own && method.of_trait));
        wanted.map(|method| method.file).collect()
    }

    /// What a path in a file leads to; nothing if that is outside of the workspace.
    fn resolve(&self, file: usize, path: &[String], deep: usize) -> Option<Target> {
        if deep > 20 {
            return None;
        }
        let (first, rest) = path.split_first()?;
        let module = &self.files[file].module;
        let start = match first.as_str() {
            "crate" | "$crate" => self.module(&module[..1]),
            "self" => Some(file),
            "super" => return self.climb(file, path, deep),
            _ => None,
        };
        if let Some(start) = start {
            return Some(self.descend(start, rest, deep));
        }
        let import = self.import(file, first).filter(|target| target[..] != path[..1]);
        if let Some(target) = import {
            return match self.resolve(file, target, deep + 1)? {
                Target::Module(to) => Some(self.descend(to, rest, deep)),
                item @ Target::Item(..) => Some(item),
            };
        }
        if let Some(child) = self.child(file, first) {
            return Some(self.descend(child, rest, deep));
        }
        Some(self.descend(self.module(&path[..1])?, rest, deep))
    }

    fn climb(&self, file: usize, path: &[String], deep: usize) -> Option<Target> {
        let ups = path.iter().take_while(|name| *name == "super").count();
        let module = &self.files[file].module;
        let above = module.len().saturating_sub(ups).max(1);
        Some(self.descend(self.module(&module[..above])?, &path[ups..], deep))
    }

    fn descend(&self, start: usize, path: &[String], deep: usize) -> Target {
        let mut module = start;
        for (at, name) in path.iter().enumerate() {
            let last = at + 1 == path.len();
            let import = || {
                let target = self.import(module, name)?;
                // In the crate's root, `use words::{self}` leads to itself.
                (target[..] != path[at..=at]).then(|| self.resolve(module, target, deep + 1))?
            };
            match (import(), self.child(module, name)) {
                (Some(item @ Target::Item(..)), None) => return item,
                (Some(item @ Target::Item(..)), Some(_)) if last => return item,
                (_, Some(child)) => module = child,
                (Some(Target::Module(to)), None) => module = to,
                (None, None) => return Target::Item(module, name.clone()),
            }
        }
        Target::Module(module)
    }

    fn import(&self, file: usize, name: &str) -> Option<&[String]> {
        let imports = &self.said[file].imports;
        imports.iter().find(|import| import.name == name).map(|import| &import.target.path[..])
    }

    fn child(&self, file: usize, name: &str) -> Option<usize> {
        let mut module = self.files[file].module.clone();
        module.push(name.to_owned());
        self.module(&module)
    }

    fn module(&self, path: &[String]) -> Option<usize> {
        self.by_module.get(path).copied()
    }
}
