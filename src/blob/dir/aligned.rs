//! Page-aligned memory, as direct I/O needs it (`O_DIRECT`): the disk reads it without a copy in the kernel.

/// The alignment of the memory and of its length. Every disk accepts it.
pub(super) const PAGE: usize = 4096;

/// A buffer of full pages.
pub(super) struct Aligned {
    /// A page longer than the buffer, so that the buffer can start at a page. Never grows, since that would move it.
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl Aligned {
    /// Zeros: as many pages as `bytes` need.
    pub fn for_bytes(bytes: usize) -> Self {
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
    fn a_buffer_has_full_pages_and_starts_at_one() {
        for bytes in [1, PAGE - 1, PAGE, PAGE + 1, 50_000] {
            let mut buffer = Aligned::for_bytes(bytes);
            assert_eq!(buffer.bytes().len(), bytes.div_ceil(PAGE) * PAGE);
            assert_eq!(buffer.bytes().as_ptr().align_offset(PAGE), 0);
            buffer.bytes_mut().fill(7);
            assert!(buffer.bytes().iter().all(|byte| *byte == 7));
        }
    }
}
