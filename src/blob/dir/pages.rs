//! Pages: memory that the disk can read by itself, without a copy in the kernel (`O_DIRECT`).
//! Does not know what is in it.

/// Where it begins and how long it is, a multiple of this: what every disk takes.
pub(super) const PAGE: usize = 4096;

pub(super) struct Pages {
    /// Longer by a page, for the beginning to be where it must. Never grows: it would move.
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Pages {
    /// Zeros, as many as it takes to hold `bytes`.
    pub fn holding(bytes: usize) -> Self {
        let length = bytes.next_multiple_of(PAGE);
        let memory = vec![0; length + PAGE];
        let start = memory.as_ptr().align_offset(PAGE).min(PAGE);
        Self { memory, start, length }
    }

    pub fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.start + self.length).unwrap_or_default()
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.start..self.start + self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_whole_and_begin_at_a_page() {
        for bytes in [1, PAGE - 1, PAGE, PAGE + 1, 50_000] {
            let mut pages = Pages::holding(bytes);
            assert_eq!(pages.bytes().len(), bytes.div_ceil(PAGE) * PAGE);
            assert_eq!(pages.bytes().as_ptr().align_offset(PAGE), 0);
            pages.bytes_mut().fill(7);
            assert!(pages.bytes().iter().all(|byte| *byte == 7));
        }
    }
}
