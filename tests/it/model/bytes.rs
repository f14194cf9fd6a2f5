//! The bytes of files in the reference: reads, writes and truncations of a descriptor.

use words::refusal::Rule;

use super::reference::{Expected, Open, Reference, Stage, broken, most};
use crate::tree::simulated_kernel::{Answer, Refusal};

impl Reference {
    pub fn read(&self, fd: usize) -> Vec<u8> {
        match &self.handles[&fd].open {
            Open::Bytes(bytes) => bytes.clone(),
            Open::Scratch(id) => self.files[id].clone(),
            Open::Draft(id) => match self.drafts[*id].stage {
                Stage::Refused(_) => Vec::new(),
                _ => self.drafts[*id].bytes.clone(),
            },
        }
    }

    /// A write. The tree may refuse a content type at the write that shows it, or at the close.
    pub fn write(&mut self, fd: usize, at: usize, data: &[u8], actual: &Answer<()>) -> Expected {
        let draft = match &self.handles[&fd].open {
            Open::Bytes(_) => return Expected::Done,
            Open::Scratch(id) => {
                overlay(self.files.get_mut(id).expect("a file"), at, data);
                return Expected::Done;
            }
            Open::Draft(id) => &mut self.drafts[*id],
        };
        if let Stage::Refused(rules) = &draft.stage {
            return Expected::Refused(rules.clone());
        }
        let (field, end) = (draft.place.1, at + data.len());
        if end as u64 > most(field) {
            if draft.stage != Stage::Open && at == 0 && end >= draft.bytes.len() {
                draft.bytes.clear();
            }
            draft.stage = Stage::Refused(vec![Rule::MaxSize]);
            return Expected::Refused(vec![Rule::MaxSize]);
        }
        overlay(&mut draft.bytes, at, data);
        draft.stage = Stage::Open;
        let early = vec![Rule::ContentTypes];
        if actual == &Err(Refusal::Rule(early[0]))
            && broken(field, &draft.bytes).contains(&early[0])
        {
            draft.stage = Stage::Refused(early.clone());
            return Expected::Refused(early);
        }
        Expected::Done
    }

    pub fn truncate(&mut self, fd: usize, length: usize) -> Expected {
        let draft = match &self.handles[&fd].open {
            Open::Bytes(_) => return Expected::Done,
            Open::Scratch(id) => {
                self.files.get_mut(id).expect("a file").resize(length, 0);
                return Expected::Done;
            }
            Open::Draft(id) => &mut self.drafts[*id],
        };
        if length == 0 {
            draft.truncate();
            return Expected::Done;
        }
        if let Stage::Refused(rules) = &draft.stage {
            return Expected::Refused(rules.clone());
        }
        if length as u64 > most(draft.place.1) {
            draft.stage = Stage::Refused(vec![Rule::MaxSize]);
            return Expected::Refused(vec![Rule::MaxSize]);
        }
        draft.bytes.resize(length, 0);
        draft.stage = Stage::Open;
        Expected::Done
    }

    pub fn writes(&self, fd: usize) -> bool {
        self.handles.get(&fd).is_some_and(|handle| handle.writes)
    }

    /// The size that `fstat` shows. `None` for an empty file of another process, which may have grown since the open.
    pub fn fstat(&self, fd: usize) -> Option<u64> {
        let bytes = match &self.handles[&fd].open {
            Open::Bytes(bytes) if bytes.is_empty() => return None,
            Open::Bytes(bytes) => bytes,
            Open::Scratch(id) => &self.files[id],
            Open::Draft(id) => &self.drafts[*id].bytes,
        };
        Some(bytes.len() as u64)
    }

    pub fn opener(&self, fd: usize) -> u32 {
        self.handles[&fd].who
    }
}

fn overlay(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    let end = at + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[at..end].copy_from_slice(data);
}
