//! Rows, renames and links in the reference.

use std::collections::BTreeSet;

use super::reference::{Draft, Expected, Found, Open, Path, Reference, broken, is_field};
use crate::tree::simulated_kernel::{At, Refusal, process};

impl Reference {
    pub fn mkdir(&mut self, row: &'static str) -> Expected {
        if self.rows.contains_key(row) {
            return Expected::Error(Refusal::Exists);
        }
        let id = self.number();
        self.rows.insert(row, id);
        Expected::Done
    }

    /// `rmdir` of a row. Attachments keep it; scratch, drafts and placeholders do not.
    pub fn rmdir(&mut self, row: &'static str) -> Expected {
        let Some(&id) = self.rows.get(row) else { return Expected::Error(Refusal::NotFound) };
        if self.slots.keys().any(|(of, _)| *of == id) {
            return Expected::Error(Refusal::NotEmpty);
        }
        self.empty(|place| place.0 == id);
        self.rows.remove(row);
        Expected::Done
    }

    fn empty(&mut self, inside: impl Fn(&(u32, &'static str)) -> bool) {
        let scratch: Vec<_> = self.scratch.keys().filter(|place| inside(place)).copied().collect();
        for place in scratch {
            let file = self.scratch.remove(&place).expect("listed");
            self.kept += usize::from(!self.files[&file].is_empty());
        }
        for draft in self.drafts.iter_mut().filter(|draft| inside(&draft.place)) {
            if draft.placeholder {
                (draft.path, draft.placeholder) = (Path::Nobody, false);
            }
        }
    }

    /// `rmdir` of a list. Items keep it; scratch and placeholders do not.
    pub fn clear(&mut self, row: &'static str) -> Expected {
        let Some(&id) = self.rows.get(row) else { return Expected::Error(Refusal::NotFound) };
        let inside = |place: &(u32, &str)| place.0 == id && place.1.starts_with("list/");
        if self.slots.keys().any(inside) {
            return Expected::Error(Refusal::NotEmpty);
        }
        self.empty(inside);
        Expected::Done
    }

    pub fn rename_row(&mut self, from: &'static str, to: &'static str) -> Expected {
        let Some(&id) = self.rows.get(from) else { return Expected::Error(Refusal::NotFound) };
        if let Some(target) = self.rows.get(to).filter(|target| **target != id) {
            let mut names = self.slots.keys().chain(self.scratch.keys());
            if names.any(|(of, _)| of == target) {
                return Expected::Error(Refusal::NotEmpty);
            }
        }
        self.rows.remove(from);
        self.rows.insert(to, id);
        Expected::Done
    }

    pub fn rename(&mut self, who: u32, from: At, to: At) -> Expected {
        let Some(found) = self.find(who, from) else {
            return Expected::Error(Refusal::NotFound);
        };
        if Some(found) == self.find(who, to) {
            return Expected::Done;
        }
        let (Some(source), Some(target)) = (self.place(from), self.place(to)) else {
            return Expected::Error(Refusal::NotFound);
        };
        match found {
            Found::Draft(_) => return Expected::Error(Refusal::Busy),
            Found::Scratch(id) if self.owners[&id] != process(who).uid => {
                return Expected::Error(Refusal::Denied);
            }
            Found::Scratch(_) | Found::Attachment(_)
                if !is_field(to.name) && self.is_anothers(who, target) =>
            {
                return Expected::Error(Refusal::Denied);
            }
            Found::Scratch(id) if is_field(to.name) => {
                let unlinked = self.unlinked.remove(&(target, who));
                let refused = self.attach(id, target);
                if refused != Expected::Done {
                    if let Some(old) = unlinked {
                        self.hang_again(target, old);
                    }
                    return refused;
                }
                self.scratch.remove(&source);
                self.go_on_as_drafts(id, target);
            }
            Found::Scratch(id) => {
                self.scratch.remove(&source);
                self.scratch.insert(target, id);
            }
            Found::Attachment(id) if is_field(to.name) => {
                if let Some(full) = self.full(Some(source), target) {
                    return full;
                }
                let rules = broken(to.name, &self.attachments[&id]);
                if !rules.is_empty() {
                    return Expected::Refused(rules);
                }
                self.move_link(source, target);
                self.drop_placeholders(target);
            }
            Found::Attachment(id) => {
                let bytes = self.attachments[&id].clone();
                self.new_scratch(who, target, bytes);
                self.take_down(source);
                self.unlinked.insert((source, who), id);
            }
        }
        Expected::Done
    }

    /// Whether the place has scratch of another user, which this process may not replace.
    fn is_anothers(&self, who: u32, place: (u32, &'static str)) -> bool {
        self.scratch.get(&place).is_some_and(|id| self.owners[id] != process(who).uid)
    }

    pub fn link(&mut self, who: u32, from: At, to: At) -> Expected {
        let (Some(found), Some(target)) = (self.find(who, from), self.place(to)) else {
            return Expected::Error(Refusal::NotFound);
        };
        if self.find(who, to).is_some() {
            return Expected::Error(Refusal::Exists);
        }
        match found {
            Found::Draft(_) => Expected::Error(Refusal::Busy),
            Found::Scratch(id) if is_field(to.name) && self.owners[&id] != process(who).uid => {
                Expected::Error(Refusal::Denied)
            }
            Found::Scratch(id) if is_field(to.name) => self.attach(id, target),
            Found::Scratch(_) => Expected::Error(Refusal::NotPermitted),
            Found::Attachment(_) if !is_field(to.name) => Expected::Error(Refusal::CrossDevice),
            Found::Attachment(id) => {
                if let Some(full) = self.full(None, target) {
                    return full;
                }
                let rules = broken(to.name, &self.attachments[&id]);
                if !rules.is_empty() {
                    return Expected::Refused(rules);
                }
                self.hang(target, id);
                Expected::Done
            }
        }
    }

    /// Judges a scratch file and attaches its bytes.
    fn attach(&mut self, file: u32, target: (u32, &'static str)) -> Expected {
        if let Some(full) = self.full(None, target) {
            return full;
        }
        let bytes = self.files[&file].clone();
        let rules = broken(target.1, &bytes);
        if !rules.is_empty() {
            self.kept += 1;
            return Expected::Refused(rules);
        }
        self.publish(target, bytes);
        Expected::Done
    }

    fn go_on_as_drafts(&mut self, file: u32, place: (u32, &'static str)) {
        let bytes = self.files[&file].clone();
        for handle in self.handles.values_mut() {
            if matches!(handle.open, Open::Scratch(id) if id == file) {
                handle.open = Open::Draft(self.drafts.len());
                let draft = Draft::of_scratch(place, handle.who, bytes.clone());
                self.drafts.push(draft);
            }
        }
    }

    /// The number of different contents that have a name.
    pub fn contents(&self) -> usize {
        let named = self.slots.values().map(|id| &self.attachments[id]);
        named.collect::<BTreeSet<_>>().len()
    }

    pub fn scratch_files(&self) -> usize {
        self.scratch.len()
    }
}
