//! Arrows between files: an arrow is a name in one file for an item of another.

use std::collections::BTreeMap;

use super::references::{Named, References};
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

/// The target of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Module(usize),
    /// An item in a file: no module with a file of its own.
    Item(usize, String),
}

/// The file and name of a type.
type Type = (usize, String);

/// The place of a method.
struct Method {
    file: usize,
    of_trait: bool,
}

struct Names<'a> {
    files: &'a [File],
    references: Vec<References>,
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
            Tests::Counted => References::read(&file.code()),
            Tests::LeftOut => References::read(&text::product(&file.code())),
        };
        let references = files.iter().map(read).collect();
        let by_module = files.iter().enumerate().map(|(at, file)| (&file.module[..], at)).collect();
        let mut names = Self { files, references, by_module, methods: BTreeMap::new() };
        names.collect_methods();
        names
    }

    fn collect_methods(&mut self) {
        let mut methods: BTreeMap<_, BTreeMap<_, Vec<Method>>> = BTreeMap::new();
        for (file, references) in self.references.iter().enumerate() {
            for block in &references.impls {
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

    /// The file and name of the type of an `impl`. A type that no import declares belongs to the file itself.
    fn type_of(&self, file: usize, path: &[String]) -> Type {
        match self.resolve(file, path, 0) {
            Some(Target::Item(file, name)) => (file, name),
            _ => (file, path.join("::")),
        }
    }

    fn arrows_of(&self, from: usize, found: &mut Vec<Arrow>) {
        let references = &self.references[from];
        let mut add = |to: usize, named: &Named, join: &str| {
            found.push(Arrow { from, to, line: named.line, by: named.path.join(join) });
        };
        for import in &references.imports {
            // An imported module is an arrow where it is used, unless it is re-exported.
            match self.resolve(from, &import.target.path, 0) {
                Some(Target::Item(to, _)) => add(to, &import.target, "::"),
                Some(Target::Module(to)) if import.public || import.name == "*" => {
                    add(to, &import.target, "::");
                }
                _ => {}
            }
        }
        for named in &references.paths {
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
        for block in &references.impls {
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

    /// The target of a path in a file; `None` if it lies outside of the workspace.
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
        let imports = &self.references[file].imports;
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
