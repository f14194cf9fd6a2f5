//! Drafts in the reference: the effects of a flush, a release, an unlink and the end of the daemon.

use std::collections::BTreeSet;

use words::refusal::Rule;

use super::reference::{
    Draft, Expected, Found, Handle, Open, Path, Place, Reference, Stage, Start, broken,
};
use crate::tree::simulated_kernel::{At, Refusal, process};

impl Reference {
    /// A flush by a process. Only the opener gets a verdict.
    pub fn flush(&mut self, who: u32, fd: usize) -> Expected {
        let handle = &self.handles[&fd];
        let Open::Draft(id) = handle.open else { return Expected::Done };
        if !handle.writes || self.drafts[id].owner != who {
            return Expected::Done;
        }
        let verdict = self.judge(id);
        if verdict != Expected::Done {
            self.put_back(id);
        }
        verdict
    }

    pub fn close(&mut self, fd: usize) -> Expected {
        let verdict = self.flush(self.handles[&fd].who, fd);
        let Some(Handle { open: Open::Draft(id), .. }) = self.handles.remove(&fd) else {
            return verdict;
        };
        self.drafts[id].handles -= 1;
        if self.drafts[id].handles == 0 {
            self.end(id);
        }
        verdict
    }

    fn judge(&mut self, id: usize) -> Expected {
        let Draft { place, stage, bytes, detached, .. } = &self.drafts[id];
        let (place, bytes) = (*place, bytes.clone());
        match stage {
            Stage::Refused(rules) if !detached => return Expected::Refused(rules.clone()),
            Stage::Open if !detached && !bytes.is_empty() => {}
            _ => return Expected::Done,
        }
        let mut rules = broken(place.1, &bytes);
        if rules.is_empty() && !self.rows.values().any(|row| *row == place.0) {
            rules.push(Rule::RowGone);
        }
        if !rules.is_empty() {
            self.kept += 1;
            self.drafts[id].stage = Stage::Refused(rules.clone());
            return Expected::Refused(rules);
        }
        self.publish(place, bytes);
        let draft = &mut self.drafts[id];
        draft.stage = Stage::Committed;
        draft.hide(Path::Owner);
        draft.replaced = None;
        Expected::Done
    }

    /// Attaches bytes. Equal bytes make no new attachment.
    pub(super) fn publish(&mut self, place: Place, bytes: Vec<u8>) -> u32 {
        self.drop_placeholders(place);
        if let Some(id) = self.slots.get(&place)
            && self.attachments[id] == bytes
        {
            return *id;
        }
        let id = self.number();
        self.attachments.insert(id, bytes);
        self.hang(place, id);
        id
    }

    pub(super) fn drop_placeholders(&mut self, place: Place) {
        for draft in self.drafts.iter_mut().filter(|draft| draft.is_at(place)) {
            if draft.placeholder {
                draft.path = Path::Nobody;
            }
        }
    }

    /// Ends a draft after its last handle is closed.
    fn end(&mut self, id: usize) {
        self.judge(id);
        let draft = &mut self.drafts[id];
        let empty = match draft.stage {
            _ if draft.detached => false,
            Stage::Untouched => true,
            Stage::Open => draft.bytes.is_empty(),
            _ => false,
        };
        let (place, owner) = (draft.place, draft.owner);
        let emptied = draft.stage == Stage::Untouched && draft.start == Start::Truncated;
        match self.slots.get(&place) {
            Some(attachment) if empty && emptied => {
                self.emptied.insert((place, *attachment, process(owner).uid));
            }
            None if empty && draft.is_shown() => {
                draft.placeholder = true;
                return;
            }
            _ => {}
        }
        self.put_back(id);
        self.drafts[id].path = Path::Nobody;
    }

    /// Puts back the attachment that the writer of the draft unlinked, at most once.
    fn put_back(&mut self, id: usize) {
        let Draft { place, replaced, .. } = self.drafts[id];
        self.drafts[id].replaced = None;
        if let Some(attachment) = replaced {
            self.hang_again(place, attachment);
        }
    }

    pub(super) fn hang_again(&mut self, place: Place, attachment: u32) {
        let exists = self.rows.values().any(|row| *row == place.0);
        if exists && self.attachments.contains_key(&attachment) && !self.slots.contains_key(&place)
        {
            self.hang(place, attachment);
            self.drop_placeholders(place);
        }
    }

    pub fn unlink(&mut self, who: u32, at: At) -> Expected {
        let (Some(found), Some(place)) = (self.find(who, at), self.place(at)) else {
            return Expected::Error(Refusal::NotFound);
        };
        if let Found::Scratch(_) = found {
            self.scratch.remove(&place);
            return Expected::Done;
        }
        let own = self.drafts.iter().position(|draft| draft.is_at(place) && draft.owner == who);
        if let Some(own) = own.filter(|own| !self.drafts[*own].placeholder) {
            let draft = &mut self.drafts[own];
            (draft.detached, draft.path) = (true, Path::Nobody);
            if let Some(attachment) = draft.replaced.take() {
                self.unlinked.insert((place, who), attachment);
            }
            return Expected::Done;
        }
        let Some(id) = self.take_down(place) else { return self.unlink_first_draft(place) };
        self.unlinked.insert((place, who), id);
        // Also of committed drafts, which may be emptied and written again.
        for draft in self.drafts.iter_mut().filter(|draft| draft.place == place) {
            draft.hide(Path::Owner);
        }
        Expected::Done
    }

    fn unlink_first_draft(&mut self, place: Place) -> Expected {
        let here = |draft: &&mut Draft| draft.is_at(place) && draft.is_shown();
        let mut shown = self.drafts.iter_mut().filter(here).peekable();
        if shown.peek().is_none() {
            return Expected::Error(Refusal::NotFound);
        }
        shown.for_each(|draft| draft.hide(Path::Owner));
        self.drop_placeholders(place);
        Expected::Done
    }

    pub fn sweep(&mut self) {
        // An open draft or a placeholder holds the attachment that it may put back.
        let live =
            |draft: &&Draft| draft.handles > 0 || (draft.placeholder && draft.path != Path::Nobody);
        let live = self.drafts.iter().filter(live);
        let held = live.filter_map(|draft| draft.replaced);
        let named: BTreeSet<_> = self.slots.values().copied().chain(held).collect();
        self.attachments.retain(|id, _| named.contains(id));
    }

    /// Stops the daemon. A clean stop keeps the bytes of open drafts, and puts back the attachments that their writers unlinked.
    /// A crash does so for drafts with a staged file only.
    pub fn stop(&mut self, crashed: bool) {
        for id in 0..self.drafts.len() {
            let draft = &self.drafts[id];
            let live = draft.handles > 0 || draft.placeholder;
            let staged = draft.stage == Stage::Open && !draft.detached;
            if live && staged && !draft.bytes.is_empty() {
                self.kept += 1;
            }
            if live && (staged || !crashed) {
                self.put_back(id);
            }
        }
        self.drafts.clear();
        self.handles.clear();
        self.unlinked.clear();
        self.emptied.clear();
    }
}
